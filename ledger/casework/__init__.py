"""Are cases of supervision and the money they bring: pure decisions, their events, and the desk that writes them."""
