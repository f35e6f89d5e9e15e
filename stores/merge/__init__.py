"""Merging another store into this one."""
