"""The web control tower."""
