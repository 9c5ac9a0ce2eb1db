"""One Sparkplug B metric: its number, its quality, and why it has none.

Source: Sparkplug 3.0.0 §6.4. Encoders differ, and both forms are read: a negative integer comes
in two's complement of its own width or of the field's, an unsigned 32-bit value in either integer field.
"""

from __future__ import annotations

import math

from lineshaft.telemetry.readings import BAD, GOOD, STALE, UNCERTAIN
from lineshaft.telemetry.sparkplug.sparkplug_b_pb2 import Metric

__all__ = ["BOOLEAN", "FLOATS", "INTEGERS", "is_protocol", "number", "quality"]

BOOLEAN = 11
# datatype: (bits, signed)
INTEGERS = {
    1: (8, True),
    2: (16, True),
    3: (32, True),
    4: (64, True),
    5: (8, False),
    6: (16, False),
    7: (32, False),
    8: (64, False),
}
FLOATS = (9, 10)
_NAMES = (
    *("Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double"),
    *("Boolean", "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template", "PropertySet"),
    *("PropertySetList", "Int8Array", "Int16Array", "Int32Array", "Int64Array", "UInt8Array", "UInt16Array"),
    *(
        "UInt32Array",
        "UInt64Array",
        "FloatArray",
        "DoubleArray",
        "BooleanArray",
        "StringArray",
        "DateTimeArray",
    ),
)
_WIDTHS = {"int_value": 32, "long_value": 64}
_PROTOCOL = ("bdSeq", "Node Control/", "Device Control/")
_GOOD = 192
_GRADES = {_GOOD: GOOD, 0: BAD, 500: STALE}


def is_protocol(name: str) -> bool:
    """Metrics of the protocol itself, never values of a machine."""
    return name.startswith(_PROTOCOL)


def number(metric: Metric, datatype: int) -> float:
    """The value as a float; a boolean is 0 or 1, a null NaN.

    datatype  of the metric or of its birth; 0 when neither says it
    raises    ValueError, worded for a cause, for what is no number: text, data sets, templates, arrays, NaN
    """
    field = metric.WhichOneof("value")
    if metric.is_null or field is None:
        return math.nan
    if field in ("float_value", "double_value") and (datatype in FLOATS or datatype == 0):
        value = float(getattr(metric, field))
        if math.isfinite(value):
            return value
        raise ValueError("is not a finite number; send is_null when there is no value")
    if field == "boolean_value" and datatype in (BOOLEAN, 0):
        return 1.0 if metric.boolean_value else 0.0
    if field in _WIDTHS and datatype in INTEGERS:
        return float(_integer(getattr(metric, field), _WIDTHS[field], datatype))
    if field in _WIDTHS and datatype == 0:
        raise ValueError("has no datatype in message or birth, so its sign is unknown; send a complete birth")
    raise ValueError(_refusal(field, datatype))


def quality(metric: Metric, value: float) -> int:
    """Index in QUALITIES, from the property `Quality` (192 good, 0 bad, 500 stale); good without one, bad for
    a null.

    value  as number() gave it
    """
    code = _GOOD
    if metric.HasField("properties"):
        for key, given in zip(metric.properties.keys, metric.properties.values, strict=False):
            if key == "Quality":
                code = given.long_value if given.HasField("long_value") else given.int_value
    grade = _GRADES.get(code, UNCERTAIN)
    return BAD if grade == GOOD and math.isnan(value) else grade


def _integer(raw: int, width: int, datatype: int) -> int:
    bits, signed = INTEGERS[datatype]
    if raw < 1 << bits:
        return raw - (1 << bits) if signed and raw >> (bits - 1) else raw
    if signed and raw >= (1 << width) - (1 << (bits - 1)):
        return raw - (1 << width)
    raise ValueError(f"is out of the range of {_NAMES[datatype]}; correct the device's datatype")


def _refusal(field: str, datatype: int) -> str:
    if field in ("template_value", "dataset_value"):
        what = "a Template" if field == "template_value" else "a DataSet"
        return f"is {what}, which is not taken; publish its members as metrics of their own"
    name = _NAMES[datatype] if datatype < len(_NAMES) else f"of datatype {datatype}"
    if datatype in INTEGERS or datatype in FLOATS or datatype == BOOLEAN:
        return f"is declared {name} but sent as {field}; correct the device's encoder"
    return f"is {name} (in {field}), and a tag needs a number; leave it out of the tag list"
