"""The tag list of a plant: which device value belongs to which asset, and in which unit.

A CSV file with one row per tag. `topic` is the MQTT topic of a JSON device, or a Sparkplug address
`group/edge_node` or `group/edge_node/device`; `metric` is the Sparkplug metric name or the member of `values`
in JSON, empty for `value`. `unit` is what the device sends, `target_unit` what readings and events are given
in (the same, if empty), both UNECE Rec 20 codes. `asset_class`, optional, is what rules may apply to.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path

from lineshaft.core.errors import ConfigError, ContractViolation
from lineshaft.core.quantity import UNITS, Quantity, convert
from lineshaft.core.values import Value

__all__ = ["COLUMNS", "Tag", "TagList", "nearest", "parse_tags", "read_tags", "scaling"]

_REQUIRED = ("tag", "topic", "metric", "property", "equipment_id", "physical_asset_id", "unit")
_MAY_BE_EMPTY = {"metric", "target_unit", "asset_class"}
COLUMNS = (*_REQUIRED, "target_unit", "asset_class")
_LONGEST_KEY = 200


class Tag(Value, frozen=True, kw_only=True):
    """One value of one device. metric and target_unit are filled in where the file leaves them empty."""

    tag: str
    topic: str
    metric: str
    property: str
    equipment_id: str
    physical_asset_id: str
    unit: str
    target_unit: str
    asset_class: str = ""


class TagList:
    """The tags of a plant by name, in the order of the file."""

    def __init__(self, tags: Iterable[Tag]) -> None:
        self._tags = {tag.tag: tag for tag in tags}

    def __iter__(self) -> Iterator[Tag]:
        return iter(self._tags.values())

    def __len__(self) -> int:
        return len(self._tags)

    def get(self, name: str) -> Tag | None:
        return self._tags.get(name)

    @property
    def names(self) -> list[str]:
        return list(self._tags)


def read_tags(path: Path) -> TagList:
    """parse_tags on a file. raises ConfigError, also when the file cannot be read"""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"tag list {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"tag list {path} is not UTF-8", hint="save it as CSV UTF-8") from error
    return parse_tags(text, file=str(path))


def parse_tags(text: str, *, file: str) -> TagList:
    """The tags of a CSV document.

    raises  ConfigError with every finding of the whole document, each `file:line: what`
    """
    reader = csv.DictReader(StringIO(text, newline=""), strict=True)
    findings: list[str] = []
    rows: list[tuple[int, dict[str | None, str | None]]] = []
    try:
        findings += [f"{file}:1: {what}" for what in _header(reader.fieldnames or [])]
        if not findings:
            for row in reader:
                rows.append((reader.line_num, dict(row)))
    except csv.Error as error:
        findings.append(f"{file}:{reader.line_num}: {error}; quote the cell or remove the character")
    tags: dict[str, tuple[int, Tag]] = {}
    sources: dict[tuple[str, str], tuple[int, Tag]] = {}
    for line, row in rows:
        wrong = list(_row(row))
        if not wrong:
            tag = _tag(row)
            wrong = list(_repeats(tag, tags, sources))
            tags.setdefault(tag.tag, (line, tag))
            sources.setdefault((tag.topic, tag.metric), (line, tag))
        findings += [f"{file}:{line}: {what}" for what in wrong]
    if findings:
        raise ConfigError(f"tag list {file} has {len(findings)} errors", findings=findings)
    return TagList(tag for _, tag in tags.values())


def scaling(tag: Tag) -> tuple[float, float]:
    """(factor, offset) with value in target_unit = value in unit * factor + offset."""
    zero = convert(Quantity(value=Decimal(0), unit=tag.unit), tag.target_unit).value
    one = convert(Quantity(value=Decimal(1), unit=tag.unit), tag.target_unit).value
    return float(one - zero), float(zero)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` or nothing, to end a finding with."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _header(names: Iterable[str]) -> Iterator[str]:
    names = list(names)
    if not names:
        yield f"the file is empty; expected a header with {', '.join(_REQUIRED)}"
        return
    for column in _REQUIRED:
        if column not in names:
            yield f"column {column!r} is missing; expected {', '.join(_REQUIRED)}"
    for name in dict.fromkeys(names):
        if name not in COLUMNS:
            yield f"column {name!r} is unknown{nearest(name, COLUMNS) or '; remove it'}"
        if names.count(name) > 1:
            yield f"column {name!r} is there {names.count(name)} times; keep one"


def _row(row: dict[str | None, str | None]) -> Iterator[str]:
    if None in row:
        yield "the row has more cells than the header; quote cells that hold a comma"
    for column, cell in row.items():
        if column is None:
            continue
        if cell is None:
            yield f"the row has no cell for {column!r}; every column needs one, if empty"
        elif not cell.strip() and column not in _MAY_BE_EMPTY:
            yield f"{column} is empty; fill it in"
        elif len(cell) > _LONGEST_KEY:
            yield f"{column} is {len(cell)} characters long; at most {_LONGEST_KEY}"
    yield from _topic((row.get("topic") or "").strip())
    yield from _units((row.get("unit") or "").strip(), (row.get("target_unit") or "").strip())


def _topic(topic: str) -> Iterator[str]:
    if topic.startswith("spBv1.0/"):
        yield f"topic {topic!r} is a Sparkplug message topic; write the address group/edge_node/device"
    elif any(wildcard in topic for wildcard in "+#"):
        yield f"topic {topic!r} has a wildcard; a tag has one source, write its topic in full"


def _units(unit: str, target: str) -> Iterator[str]:
    wrong = False
    for column, code in (("unit", unit), ("target_unit", target)):
        if code and code not in UNITS:
            wrong = True
            yield f"{column} {code!r} is no known UNECE Rec 20 code{_nearest_unit(code)}"
    if unit and target and not wrong:
        try:
            convert(Quantity(value=Decimal(0), unit=unit), target)
        except ContractViolation as error:
            yield f"{error.message}; give a target_unit of the same dimension"


def _nearest_unit(code: str) -> str:
    return nearest(code.upper(), UNITS) or f"; known: {', '.join(UNITS)}"


def _tag(row: dict[str | None, str | None]) -> Tag:
    cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
    cells["metric"] = cells["metric"] or "value"
    cells["target_unit"] = cells["target_unit"] or cells["unit"]
    return Tag(**cells)


def _repeats(
    tag: Tag, tags: dict[str, tuple[int, Tag]], sources: dict[tuple[str, str], tuple[int, Tag]]
) -> Iterator[str]:
    if tag.tag in tags:
        yield f"tag {tag.tag!r} is already on line {tags[tag.tag][0]}; give each tag its own name"
    if (tag.topic, tag.metric) in sources:
        line, other = sources[tag.topic, tag.metric]
        yield (
            f"metric {tag.metric!r} of topic {tag.topic!r} already feeds tag {other.tag!r} on line {line}; "
            "a value has one tag"
        )
