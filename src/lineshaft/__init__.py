"""lineshaft keeps a manufacturer's systems turning together."""

__version__ = "0.1.0"
