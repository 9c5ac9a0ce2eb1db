"""HTTP in front of the product: webhooks of connected systems."""

from lineshaft.gateway.webhooks import HookedSystem, gateway_routes

__all__ = ["HookedSystem", "gateway_routes"]
