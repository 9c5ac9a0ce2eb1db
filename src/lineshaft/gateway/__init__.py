"""HTTP in front of the product: webhooks of connected systems."""
