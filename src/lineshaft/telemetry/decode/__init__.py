"""From payloads of devices to columns of readings: JSON and foreign shapes."""
