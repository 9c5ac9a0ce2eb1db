"""One folder per system or protocol; none knows another."""
