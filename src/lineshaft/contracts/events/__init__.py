"""Event types, a module per domain."""
