"""Holds the rule packs that come with the package, TOML documents."""
