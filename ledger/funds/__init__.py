"""Keeps the funds themselves: what they opened with and what came in, beside what they spend."""
