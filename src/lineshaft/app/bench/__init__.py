"""Benches: what this machine does, beside what one would use instead. Their commands are in `commands`."""
