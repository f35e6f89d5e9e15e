"""Which layer, which strategy: advice from the features themselves."""
