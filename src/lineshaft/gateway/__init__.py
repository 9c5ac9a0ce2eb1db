"""HTTP in front of the product: routes declared once, one pipeline of checks, and who asks."""

from lineshaft.gateway.problems import problem, try_later

__all__ = ["problem", "try_later"]
