"""The server of that page, for this machine only."""
