"""From images to features in the store."""
