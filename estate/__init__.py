"""The reference estate: simulated systems and machines, and the scenarios that run against them."""
