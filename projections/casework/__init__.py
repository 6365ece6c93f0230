"""Lists cases and what they brought, straight from their streams."""
