"""Events and operations, declared once and typed."""
