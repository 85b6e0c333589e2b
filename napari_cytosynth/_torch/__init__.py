"""What all that is trained with torch shares."""
