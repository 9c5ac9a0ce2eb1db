"""The scenarios of the mission, each a test that runs end to end and asserts its effects."""
