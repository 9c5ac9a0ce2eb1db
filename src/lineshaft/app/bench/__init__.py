"""`lineshaft bench`: how fast processes and calls are on this machine, beside what one would use instead."""

from lineshaft.app.bench.commands import bench

__all__ = ["bench"]
