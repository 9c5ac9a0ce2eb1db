"""The catalogue as Markdown, and the entries that it is made of."""

from __future__ import annotations

import re

import msgspec

from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.contracts.entries import Entry, declared_entries, entries, users_of
from lineshaft.contracts.markdown import catalogue_markdown, contract_markdown
from lineshaft.contracts.registry import (
    Compatibility,
    Contract,
    ContractVersion,
    Kind,
    LiveContract,
    MajorState,
    Party,
    Role,
    State,
    Version,
)

NAME = "production.confirmation.recorded"
BOARD = Party(
    party="board", contract=NAME, major=1, fields=("yield_quantity.value",), contact="a|b@example.com"
)
SCHEMA = {
    "title": "Despatch advice",
    "type": "object",
    "properties": {"weight": {"type": "number", "x-unit": "KGM"}},
    "required": ["weight"],
    "examples": [{"weight": 2}],
}


def one(found: list[Entry], id: str) -> Entry:
    return next(entry for entry in found if entry.id == id)


def test_every_declared_contract_has_an_entry() -> None:
    operations = {each.name for kind in CAPABILITIES.values() for each in kind.operations.values()}
    assert {entry.id for entry in declared_entries()} == set(EVENTS) | operations
    order = one(entries(), "production.order.released.v1")
    assert (order.owner, order.system_of_record, order.state) == ("production", "erp", State.PUBLISHED)
    assert order.parts[0].fields


def test_parties_and_versions_are_at_their_contract() -> None:
    history = Contract(
        name=NAME,
        kind=Kind.EVENT,
        owner="production",
        versions=[
            ContractVersion(
                version=Version(1, 0), document=SCHEMA, digest="sha256:1", at="2026-01-02T00:00:00Z"
            ),
            ContractVersion(version=Version(1, 1), document=SCHEMA),
        ],
        majors={1: MajorState(state=State.DEPRECATED, sunset="2027-01-01")},
    )
    entry = one(entries([history], parties=[BOARD]), f"{NAME}.v1")
    assert [(each.version, each.state) for each in entry.versions] == [
        ("1.0", State.DEPRECATED),
        ("1.1", State.DRAFT),
    ]
    users = {field.path: users_of(entry, field) for field in entry.parts[0].fields}
    assert users["yield_quantity"] == ["board"]
    assert users["scrap_quantity"] == []
    producer = msgspec.structs.replace(BOARD, role=Role.PRODUCER, fields=())
    entry = one(entries(parties=[producer]), f"{NAME}.v1")
    assert users_of(entry, entry.parts[0].fields[0]) == []


def test_contracts_of_others_are_there_as_well() -> None:
    ours = Contract(
        name="partner.despatch",
        kind=Kind.EXTERNAL,
        owner="procurement",
        compatibility=Compatibility.BACKWARD,
        versions=[ContractVersion(version=Version(2, 0), document=SCHEMA, digest="sha256:1")],
    )
    live = LiveContract(
        name="partner.receipt",
        version="1.3",
        kind=Kind.OPERATION,
        owner="procurement",
        state=State.DEPRECATED,
        digest="sha256:2",
        document={"request": SCHEMA, "reply": SCHEMA},
    )
    found = entries([ours], [live])
    despatch = one(found, "partner.despatch")
    assert (despatch.major, despatch.summary, despatch.parts[0].example) == (
        2,
        "Despatch advice",
        {"weight": 2},
    )
    receipt = one(found, "partner.receipt")
    assert [part.name for part in receipt.parts] == ["request", "reply"]
    assert receipt.state is State.DEPRECATED


def test_a_contract_as_markdown() -> None:
    text = contract_markdown(one(entries(parties=[BOARD]), f"{NAME}.v1"))
    assert text.startswith(f"# {NAME}.v1\n\nThe MES has recorded")
    assert "| SLA | near real time, 60 s |" in text
    assert "| system of record | mes |" in text
    assert "| `personnel_actual[].quantity` | quantity | yes | HUR |" in text
    assert "| board | consumer | `yield_quantity.value` | a\\|b@example.com |" in text
    assert '"confirmation_type": "partial"' in text
    text = contract_markdown(one(entries(), "erp.create_requisition"))
    assert "| tells its outcome by | `procurement.requisition.created.v1` |" in text
    assert "## Request" in text
    assert "## Reply" in text


def test_the_whole_catalogue_has_a_chapter_for_each_and_links_that_lead_there() -> None:
    text = catalogue_markdown(declared_entries())
    chapters = re.findall(r"(?m)^### (.+)$", text)
    assert sorted(chapters) == sorted(entry.id for entry in declared_entries())
    links = re.findall(r"\[[^\]]+\]\(#([^)]+)\)", text.partition("\n## ")[0])
    anchors = {chapter.replace(".", "") for chapter in chapters}
    assert len(links) == len(chapters)
    assert set(links) == anchors
    assert len(anchors) == len(chapters)


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    cells = None
    for line in catalogue_markdown(declared_entries()).splitlines():
        if not line.startswith("|"):
            cells = None
            continue
        found = len(re.findall(r"(?<!\\)\|", line))
        assert cells in (None, found), line
        cells = found


def test_what_others_write_is_no_markup() -> None:
    entry = Entry(
        name="partner.x",
        major=1,
        kind=Kind.EXTERNAL,
        owner="a|b",
        summary="<script>alert(1)</script> `x`\n# y",
    )
    text = contract_markdown(entry)
    assert "\\<script>" in text
    assert "a\\|b" in text
    assert text.count("\n#") == 0
