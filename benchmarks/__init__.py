"""What is claimed of speed and memory, measured: `make bench`, or `python -m benchmarks`."""
