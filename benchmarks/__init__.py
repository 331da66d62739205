"""How fast this package is, side by side with what else does the work: `python -m benchmarks`."""
