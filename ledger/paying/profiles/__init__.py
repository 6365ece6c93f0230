"""Ships profiles of bank batch files."""
