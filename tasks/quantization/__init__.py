"""Quantisation of a backbone for `--precision int8`, and what it costs and gains."""
