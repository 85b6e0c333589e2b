"""What needs torch; imported only inside a worker, or by the command line."""
