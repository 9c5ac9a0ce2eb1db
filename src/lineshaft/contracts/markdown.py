"""The catalogue of contracts as Markdown: one document, or one per contract."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from lineshaft.contracts.entries import Entry, EntryPart, users_of
from lineshaft.contracts.registry.contract import Kind
from lineshaft.contracts.registry.party import Role

__all__ = ["catalogue_markdown", "contract_markdown"]

_TITLES = {Kind.EVENT: "Events", Kind.OPERATION: "Operations", Kind.EXTERNAL: "External payloads"}


def catalogue_markdown(entries: Iterable[Entry], *, title: str = "Contracts") -> str:
    """All in one document, by kind and domain, with a list of contents."""
    known = sorted(entries, key=lambda entry: (list(Kind).index(entry.kind), entry.domain, entry.id))
    lines = [f"# {title}", ""]
    for kind, of_kind in groupby(known, key=lambda entry: entry.kind):
        lines += [f"- {_TITLES[kind]}"]
        for domain, some in groupby(of_kind, key=lambda entry: entry.domain):
            links = ", ".join(f"[{entry.id}](#{_anchor(entry.id)})" for entry in some)
            lines += [f"  - {domain}: {links}"]
    lines += [""]
    for kind, of_kind in groupby(known, key=lambda entry: entry.kind):
        lines += [f"## {_TITLES[kind]}", ""]
        for entry in of_kind:
            lines += [*_entry(entry, "###"), ""]
    return "\n".join(lines).rstrip() + "\n"


def contract_markdown(entry: Entry) -> str:
    return "\n".join(_entry(entry, "#")).rstrip() + "\n"


def _entry(entry: Entry, level: str) -> list[str]:
    lines = [f"{level} {entry.id}", ""]
    if entry.summary:
        lines += [_text(entry.summary), ""]
    lines += _table(["", ""], [[name, value] for name, value in _facts(entry) if value])
    if entry.versions:
        rows = [
            [each.version, str(each.state), each.at[:10], _text(each.by), each.sunset]
            for each in entry.versions
        ]
        lines += [
            "",
            f"{level}# Versions",
            "",
            *_table(["version", "state", "published", "by", "sunset"], rows),
        ]
    if entry.parties:
        rows = [
            [
                _text(each.party),
                str(each.role),
                ", ".join(map(_code, each.fields)) or "all",
                _text(each.contact),
            ]
            for each in entry.parties
        ]
        lines += ["", f"{level}# Registered", "", *_table(["who", "role", "fields", "contact"], rows)]
    for part in entry.parts:
        lines += ["", f"{level}# {part.name.capitalize()}", "", *_part(entry, part)]
    return lines


def _facts(entry: Entry) -> Iterable[tuple[str, str]]:
    yield "owner", _text(entry.owner)
    yield "class", entry.eventclass
    yield "SLA", f"{entry.sla}, {entry.sla_s:g} s" if entry.sla else ""
    yield "key", _code(entry.key)
    yield "order within", _code(entry.order_by) if entry.order_by != entry.key else ""
    yield "entity", _code(entry.entity)
    yield "system of record", entry.system_of_record
    yield ("served by" if entry.kind is Kind.OPERATION else "told by"), ", ".join(entry.producers)
    yield "meant for", ", ".join(entry.consumers)
    yield "tells its outcome by", _code(entry.emits)
    if entry.kind is Kind.OPERATION:
        yield "what it does", "changes its system" if entry.is_command else "reads"


def _part(entry: Entry, part: EntryPart) -> list[str]:
    used = bool(entry.in_role(Role.CONSUMER))
    head = ["field", "type", "required", "unit", "values", *(["used by"] if used else [])]
    rows = [
        [
            _code(field.path) + (" (key)" if field.is_key else ""),
            field.type,
            "yes" if field.required else "",
            field.unit,
            _text(field.facets),
            *([", ".join(map(_text, users_of(entry, field)))] if used else []),
        ]
        for field in part.fields
    ]
    lines = []
    if part.about:
        lines += ["```text", part.about.replace("```", "'''"), "```", ""]
    lines += _table(head, rows)
    if part.example is not None:
        example = msgspec.json.format(msgspec.json.encode(part.example), indent=2).decode()
        lines += ["", "```json", example, "```"]
    return lines


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns in which no row says anything are left out."""
    found = list(rows)
    shown = [place for place, name in enumerate(head) if not name or any(row[place] for row in found)]
    return [
        "| " + " | ".join(row[place] for place in shown) + " |" for row in (head, ["---"] * len(head), *found)
    ]


def _code(text: str) -> str:
    return f"`{text.replace('`', '').replace('|', chr(92) + '|')}`" if text else ""


def _text(text: str) -> str:
    """In a cell nothing may end the row, and nothing may become markup."""
    for sign in ("\\", "|", "*", "_", "<", "[", "`"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _anchor(heading: str) -> str:
    """As readers of Markdown make it: letters, digits, dashes and underscores stay."""
    kept = (sign for sign in heading.lower() if sign.isalnum() or sign in "-_ ")
    return "".join(kept).replace(" ", "-")
