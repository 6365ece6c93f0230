"""Reconciles (对账) what stands here with what a counterpart says stands there, and follows every break to its end."""
