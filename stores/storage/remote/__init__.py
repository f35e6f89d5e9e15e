"""Stores at an address: a mirror in a local cache, and the objects themselves."""
