"""The parameters of the flows."""
