"""The one door into every system."""
