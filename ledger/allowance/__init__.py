"""Grants allowances without a claim: the maternity allowance (生育津贴) that a fund owes a person or an employer."""
