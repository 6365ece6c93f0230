"""Decides sealed periods again: under the policies they were decided by, or under another one."""
