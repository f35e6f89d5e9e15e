"""How files get into a store and out of it: whole, checked, and only within it."""
