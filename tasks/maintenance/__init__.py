"""Maintenance of a store: list, verify, reindex, collect garbage, merge."""
