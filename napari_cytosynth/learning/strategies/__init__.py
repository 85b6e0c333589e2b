"""Query strategies, one file each. None knows another."""
