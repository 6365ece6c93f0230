"""Reviews what was billed by rules: dated packs of rules, the review of a period, what was found as events."""
