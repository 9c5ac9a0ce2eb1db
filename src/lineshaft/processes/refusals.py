"""Why people's questions about processes, or what they want of one, are refused."""

from __future__ import annotations

from lineshaft.core.errors import ConfigError

__all__ = ["AmbiguousProcess", "NoSuchProcess", "NotPossible", "ReasonMissing"]


class NoSuchProcess(ConfigError):
    default_code = "no_such_process"


class AmbiguousProcess(ConfigError):
    """findings: the processes that may be meant."""

    default_code = "ambiguous_process"


class NotPossible(ConfigError):
    """Not with this instance as it is now."""

    default_code = "not_possible"


class ReasonMissing(ConfigError):
    default_code = "reason_missing"
