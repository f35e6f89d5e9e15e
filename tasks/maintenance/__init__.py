"""Looking after a store: list, verify, reindex, collect garbage, merge."""
