"""Holds what an open ledger can be told, one family of commands a file, each a part of ``ledger.service.Ledger``."""
