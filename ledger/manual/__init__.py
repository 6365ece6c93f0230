"""Are manual reimbursements (手工报销): pure decisions, their events, and the desk that takes the acts."""
