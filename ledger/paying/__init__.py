"""Pays: what became of a payment at the bank, whose receipt it was, in which file it left, and which advance it is."""
