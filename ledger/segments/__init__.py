"""Writes, reads and checks sealed segments: a closed period's acts as columns, sorted by person."""
