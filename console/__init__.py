"""The command line: the only code that knows argv, terminals and how a figure looks to a person."""
