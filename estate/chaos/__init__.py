"""Chaos: many instances of a scenario at once, disturbed at random moments, counted in the target systems."""
