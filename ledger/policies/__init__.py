"""Policies that come with the package, one TOML document each; ``ledger.policy`` reads them."""
