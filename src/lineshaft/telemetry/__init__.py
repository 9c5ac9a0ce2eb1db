"""The hot path from raw readings to the few events that matter."""
