"""Benchmarks: each figure is a ratio to a named baseline that is measured in the same run."""
