"""The hot path from raw readings to the few events that matter."""

from lineshaft.telemetry.decode.payload_maps import PayloadMaps
from lineshaft.telemetry.decoder import Decoder
from lineshaft.telemetry.evaluate.columnar import ColumnarEvaluation
from lineshaft.telemetry.evaluate.evaluation import NO_TIME, Evaluation, Live, Results
from lineshaft.telemetry.pipeline import OnRebirth, Rules, TelemetryPipeline
from lineshaft.telemetry.readings import QUALITIES, Readings
from lineshaft.telemetry.rules.facts import tag_facts
from lineshaft.telemetry.rules.limits import Limit
from lineshaft.telemetry.rules.rule_set import RuleSet, read_rules
from lineshaft.telemetry.sparkplug.commands import rebirth_request, state_message
from lineshaft.telemetry.state import StateStore
from lineshaft.telemetry.tags import Tag, TagList, parse_tags, read_tags

__all__ = [
    "NO_TIME",
    "QUALITIES",
    "ColumnarEvaluation",
    "Decoder",
    "Evaluation",
    "Limit",
    "Live",
    "OnRebirth",
    "PayloadMaps",
    "Readings",
    "Results",
    "RuleSet",
    "Rules",
    "StateStore",
    "Tag",
    "TagList",
    "TelemetryPipeline",
    "parse_tags",
    "read_rules",
    "read_tags",
    "rebirth_request",
    "state_message",
    "tag_facts",
]
