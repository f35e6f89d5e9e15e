"""Features in shards, and the index that finds them."""
