"""The page on which people mend their data: what it shows, and what they decide."""
