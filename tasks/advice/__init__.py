"""Advice on layers and fine-tuning strategies, from stored features."""
