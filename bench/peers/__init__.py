"""Settles the bench's workload by other means: plain C, and NumPy, Numba, Polars and DuckDB on the narrower formula."""
