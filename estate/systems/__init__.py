"""Simulated business systems of the example plant: real HTTP, their own databases, their own vocabulary."""
