"""Reads what supervision found: violations with the claims and lines they stand on."""
