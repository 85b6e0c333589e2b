"""The session, one presenter a panel, and what a view must be. No toolkit."""
