"""What several flows have in common: where things run, and the parts of a flow."""
