"""Image files: what is in them, whether they can be read rightly, and their pixels."""
