"""Looking at images by their features: similar ones, clusters, and what to label next."""
