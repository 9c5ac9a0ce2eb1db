"""Telemetry at the highest load that is sustained, beside Node-RED, Pathway and mq-bridge."""
