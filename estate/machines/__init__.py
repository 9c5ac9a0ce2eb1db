"""Simulated machines: they publish by MQTT like real ones, from their own threads with their own clocks."""
