"""Durable processes: journal, replay, waits."""
