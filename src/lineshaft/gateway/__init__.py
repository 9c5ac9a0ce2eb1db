"""HTTP in front of the product: webhooks of connected systems."""

from lineshaft.gateway.body import read_body
from lineshaft.gateway.problems import problem, try_later
from lineshaft.gateway.webhooks import gateway_routes

__all__ = ["gateway_routes", "problem", "read_body", "try_later"]
