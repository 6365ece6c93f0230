"""Writes rows that were not booked to a file beside the source, each with its reason, ready to be mended and retried."""

DIAGNOSTICS = ("row", "reason", "field", "expected", "got")
