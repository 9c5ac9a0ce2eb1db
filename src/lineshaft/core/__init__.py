"""Value types, identifiers, units, the clock, the error tree and the ports by which rooms touch."""
