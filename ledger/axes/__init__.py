"""Says what figures are on three axes: service date, recorded time, policy version."""
