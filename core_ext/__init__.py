"""Kernels over integers, bytes and buffers: each a plain-Python reference (the specification) and a compiled twin."""
