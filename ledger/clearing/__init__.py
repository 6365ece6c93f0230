"""Clears a period (清分/清算): what it froze, who drew up, checked and signed it, by which terms, and by when."""
