"""Summaries as lines of text."""
