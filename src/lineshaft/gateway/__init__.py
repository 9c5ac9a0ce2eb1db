"""HTTP in front of the product: webhooks of connected systems."""

from lineshaft.gateway.webhooks import gateway_routes

__all__ = ["gateway_routes"]
