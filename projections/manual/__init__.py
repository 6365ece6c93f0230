"""Lists applications for manual reimbursement and tells their life, straight from their streams."""
