"""The tag list of a plant: which device value belongs to which asset, and in which unit.

A CSV file with one row per tag. `topic` is the MQTT topic of a JSON device, or a Sparkplug address
`group/edge_node` or `group/edge_node/device`; `metric` is the Sparkplug metric name or the member of `values`
in JSON, empty for `value`. `unit` is what the device sends, `target_unit` what readings and events are given
in (the same, if empty), both UNECE Rec 20 codes. `asset_class`, optional, is what rules may apply to.

`deadband`, optional, in target_unit, thins what goes to the lake: a good reading that differs by no more from
the last one that went there is left out. Rules, windows and live values see all readings. `keep`, optional,
is the class under which the lake keeps them, `standard` if empty.
"""

from __future__ import annotations

import csv
import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any, TypeAlias

from lineshaft.core.errors import ConfigError, ContractViolation
from lineshaft.core.quantity import UNITS, Quantity, convert
from lineshaft.core.values import Value
from lineshaft.core.yamlfile import YamlFile

__all__ = ["COLUMNS", "Tag", "TagList", "nearest", "parse_tags", "read_tags", "scaling"]

_REQUIRED = ("tag", "topic", "metric", "property", "equipment_id", "physical_asset_id", "unit")
_OPTIONAL = ("target_unit", "asset_class", "deadband", "keep")
_MAY_BE_EMPTY = {"metric", *_OPTIONAL}
COLUMNS = (*_REQUIRED, *_OPTIONAL)
_LONGEST_KEY = 200
_Row: TypeAlias = tuple[int, dict[str | None, str | None]]
_KEEP = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Tag(Value, frozen=True, kw_only=True):
    """One value of one device. What may be empty in the file is filled in."""

    tag: str
    topic: str
    metric: str
    property: str
    equipment_id: str
    physical_asset_id: str
    unit: str
    target_unit: str
    asset_class: str = ""
    deadband: float = 0.0
    keep: str = "standard"


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
    """parse_tags on a file, or the same of a YAML file. raises ConfigError, also when it cannot be read"""
    if path.suffix in (".yaml", ".yml"):
        return _bound(_yaml_rows(YamlFile(path)), str(path))
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
    rows: list[_Row] = []
    try:
        findings += [f"{file}:1: {what}" for what in _header(reader.fieldnames or [])]
        if not findings:
            for row in reader:
                rows.append((reader.line_num, dict(row)))
    except csv.Error as error:
        findings.append(f"{file}:{reader.line_num}: {error}; quote the cell or remove the character")
    return _bound(rows, file, findings)


def _yaml_rows(file: YamlFile) -> list[_Row]:
    """Of a document `{"tags": [...]}`: each row a mapping with the columns of the CSV file; empty ones may be
    left out.

    raises  ConfigError
    """
    declared = file.data.get("tags") if isinstance(file.data, dict) else None
    findings, rows = [], []
    if not isinstance(declared, list) or set(file.data) != {"tags"}:
        findings = [f"{file.path}:1: expected a list under `tags`, and nothing else"]
        declared = []
    for index, row in enumerate(declared):
        place: list[str | int] = ["tags", index]
        if not isinstance(row, dict):
            findings.append(f"{file.where(place)}: {row!r:.60} is no mapping of columns")
            continue
        findings += [f"{file.where([*place, name])}: {what}" for name, what in _columns(row)]
        cells = dict.fromkeys(COLUMNS, "") | {name: str(cell) for name, cell in row.items()}
        rows.append((file.line(place) or 1, cells))
    if findings:
        raise ConfigError(f"tag list {file.path} has {len(findings)} errors", findings=findings)
    return rows


def _columns(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, cell in row.items():
        if name not in COLUMNS:
            yield name, f"{name!r} is unknown{nearest(name, COLUMNS) or '; known: ' + ', '.join(COLUMNS)}"
        elif not isinstance(cell, str | int | float) or isinstance(cell, bool):
            yield name, f"{name} is {cell!r:.60}; expected text or a number"


def _bound(rows: Iterable[_Row], file: str, findings: Sequence[str] = ()) -> TagList:
    findings = list(findings)
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
    yield from _deadband((row.get("deadband") or "").strip())
    keep = (row.get("keep") or "").strip()
    if keep and not _KEEP.fullmatch(keep):
        yield f"keep {keep!r} is no name; use lower-case letters, digits, - and _"
    yield from _units((row.get("unit") or "").strip(), (row.get("target_unit") or "").strip())


def _topic(topic: str) -> Iterator[str]:
    if topic.startswith("spBv1.0/"):
        yield f"topic {topic!r} is a Sparkplug message topic; write the address group/edge_node/device"
    elif any(wildcard in topic for wildcard in "+#"):
        yield f"topic {topic!r} has a wildcard; a tag has one source, write its topic in full"


def _deadband(cell: str) -> Iterator[str]:
    try:
        usable = math.isfinite(float(cell or 0)) and float(cell or 0) >= 0
    except ValueError:
        usable = False
    if not usable:
        yield f"deadband {cell!r} is no number of at least 0; write it in target_unit, with a point"


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
    deadband, keep = float(cells.pop("deadband") or 0), cells.pop("keep") or "standard"
    return Tag(**cells, deadband=deadband, keep=keep)


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
