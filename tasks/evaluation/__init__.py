"""What a result is worth: metrics, comparisons, selection, suspect labels, near-duplicates."""
