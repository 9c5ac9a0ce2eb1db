"""Events over HTTP: in as CloudEvents, out as server-sent events and webhooks."""
