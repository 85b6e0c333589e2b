"""What a user can do: each step joins several rooms."""
