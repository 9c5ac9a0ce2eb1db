"""Capabilities, a module per kind of system."""
