"""Reads the money beside claims: funds and their months payable, receivables by age, advances and their use."""
