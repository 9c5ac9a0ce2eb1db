"""The hot path from raw readings to the few events that matter."""

from lineshaft.telemetry.limits import Limit
from lineshaft.telemetry.pipeline import TelemetryPipeline
from lineshaft.telemetry.rules import LimitRule, RuleSet, read_rules
from lineshaft.telemetry.screening import Counters
from lineshaft.telemetry.sparkplug import rebirth_request
from lineshaft.telemetry.state import StateStore
from lineshaft.telemetry.tags import Tag, TagList, parse_tags, read_tags

__all__ = [
    "Counters",
    "Limit",
    "LimitRule",
    "RuleSet",
    "StateStore",
    "Tag",
    "TagList",
    "TelemetryPipeline",
    "parse_tags",
    "read_rules",
    "read_tags",
    "rebirth_request",
]
