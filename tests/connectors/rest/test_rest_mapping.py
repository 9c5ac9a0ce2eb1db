"""What is wrong with a mapping is found when it is read, with file and line, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from rest_facts import MAPPINGS

from lineshaft.connectors.rest.expression import Unmappable
from lineshaft.connectors.rest.mapping_reader import read_mapping
from lineshaft.connectors.rest.path_template import PathTemplate, with_query
from lineshaft.contracts.catalogue import CAPABILITIES, EVENTS
from lineshaft.core.errors import ConfigError


def findings(text: str, tmp_path: Path) -> list[str]:
    """Without the folder."""
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_mapping(path, CAPABILITIES, EVENTS)
    return [finding.removeprefix(f"{tmp_path}/") for finding in refused.value.findings]


def changed(name: str, old: str, new: str, tmp_path: Path) -> tuple[list[str], int]:
    """Findings of a shipped mapping with one change, and the line of the change."""
    text = (MAPPINGS / name).read_text()
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    return findings(text.replace(old, new, 1), tmp_path), line


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("cmms.yaml", "maintenance.asset:", "maintenance.aset:", "did you mean 'maintenance.asset'"),
        ("cmms.yaml", "    method: PATCH", "    methd: PATCH", "unknown 'methd'; did you mean 'method'"),
        ("cmms.yaml", "    method: PATCH", "    method: FETCH", "one of GET, POST"),
        ("cmms.yaml", "{physical_asset_id}", "{physical_aset_id}", "did you mean 'physical_asset_id'"),
        ("cmms.yaml", "symptom: description", "symptom: descripton", "did you mean 'description'"),
        ("cmms.yaml", "qty: to_number(quantity.value)", "qty: to_number(quantity.valu)", "Quantity; did you"),
        ("cmms.yaml", "map_value('origin', trigger)", "map_value('orign', trigger)", "did you mean 'origin'"),
        ("cmms.yaml", "map_value('origin', trigger)", "map_value('origin')", "takes 2 arguments, not 1"),
        (
            "cmms.yaml",
            "map_value('origin', trigger)",
            "mapvalue('origin', trigger)",
            "did you mean 'map_value'",
        ),
        ("cmms.yaml", "criticality: map_back", "critcality: map_back", "no field of PhysicalAsset"),
        ("cmms.yaml", "answer.machineRef", "anwer.machineRef", "did you mean 'answer'"),
        ("cmms.yaml", "Held: WAITING_PARTS", "Hold: WAITING_PARTS", "'Hold' is no MaintenanceOrderState"),
        ("cmms.yaml", "{text: text, kind", "{text: text, , kind", "Parse error"),
        ("cmms.yaml", "event: maintenance.order.completed.v1", "event: maintenance.order.done.v1", "did you"),
        ("cmms.yaml", "failure_code: order.causeCode", "failurecode: order.causeCode", "OrderCompletion"),
        ("cmms.yaml", "owner: master-data}", "oner: master-data}", "unknown 'oner'; did you mean 'owner'"),
        ("cmms.yaml", "title: Fixwell", "titel: Fixwell", "did you mean 'title'"),
        ("cmms.yaml", "[maintenance]", "[maintenence]", "did you mean 'maintenance'"),
        ("cmms.yaml", "path: /api/work-requests\n", "path: api/work-requests\n", "must start with one /"),
        ("inventory.yaml", "method: POST", "method: GET", "is a command"),
        ("inventory.yaml", "externalRef={key}\n", "externalRef=1\n", "neither path nor query has the key"),
        ("inventory.yaml", "site: map_back", "# site: map_back", "Unknown token #"),
    ],
)
def test_one_mistake_is_found_where_it_is(
    name: str, old: str, new: str, expected: str, tmp_path: Path
) -> None:
    found, line = changed(name, old, new, tmp_path)
    matching = [finding for finding in found if expected in finding]
    assert matching, found
    if "Hold" not in expected:
        place = int(matching[0].split(":")[1])
        assert abs(place - line) <= 1, (place, line, matching)


def test_a_missing_operation_and_a_missing_field(tmp_path: Path) -> None:
    found = findings(
        """\
title: x
capabilities: [production]
operations:
  production.context:
    method: GET
    path: /x
    reply: |
      {equipment_id: answer.a}
  production.stop_reason: {method: GET, path: /x, reply: "{equipment_id: answer.a}"}
  production.counted: {method: GET, path: /x, reply: "{equipment_id: 'a', is_count_point: `true`}"}
""",
        tmp_path,
    )
    assert found == [
        "m.yaml:8: production.context: reply: field 'work_center_id' of ProductionContext is missing"
    ]
    found = findings("title: x\ncapabilities: [production]\noperations: {}\n", tmp_path)
    assert found == [
        f"m.yaml:3: operation 'production.{name}' is missing; the mapping serves its capability"
        for name in ("context", "stop_reason", "counted")
    ]


def test_all_findings_come_at_once(tmp_path: Path) -> None:
    text = (MAPPINGS / "planning.yaml").read_text()
    text = text.replace("cause: reason", "cause: reson").replace("title:", "titel:").replace("key}", "kee}")
    assert len(findings(text, tmp_path)) >= 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty or no mapping"),
        ("- a\n", "empty or no mapping"),
        ("a: [\n", "is no YAML"),
        ("a: b: c\n", "is no YAML"),
    ],
)
def test_a_file_that_is_no_mapping(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        read_mapping(path, CAPABILITIES, EVENTS)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_mapping(tmp_path / "none.yaml", CAPABILITIES, EVENTS)


def test_structures_of_the_wrong_kind_are_findings_not_crashes(tmp_path: Path) -> None:
    found = findings(
        """\
title: [a]
capabilities: production
operations: [x]
errors: {A: b, B: {code: [x]}, C: {code: x, retry: 7}}
maps: {m: [1], n: {1: {a: b}}, n: {}}
webhooks: {h: {event: x, data: "", time: "[", identity: []}}
error: []
""",
        tmp_path,
    )
    assert len(found) >= 10
    assert all(finding.startswith("m.yaml:") for finding in found)


def test_maps_work_both_ways() -> None:
    mapping = read_mapping(MAPPINGS / "cmms.yaml", CAPABILITIES, EVENTS)
    orders = mapping.operations["maintenance.open_orders"].exchange.reply
    item = {"workOrderNo": "1", "assetNo": "a", "title": "t", "status": "WAITING_PARTS", "requestNo": "r"}
    seen = {"request": {}, "answer": {"items": [item]}, "key": "k"}
    assert orders(seen)["orders"][0]["state"] == "Held"
    with pytest.raises(Unmappable, match="'LOST' \\(theirs\\); known: RELEASED"):
        orders({**seen, "answer": {"items": [{**item, "status": "LOST"}]}})


def test_numbers_become_plain_decimals() -> None:
    mapping = read_mapping(MAPPINGS / "inventory.yaml", CAPABILITIES, EVENTS)
    reply = mapping.operations["inventory.availability"].exchange.reply
    answer = {"facility": "LEJ1", "uom": "EA", "onHand": 24.0, "allocated": 0, "rop": 1e-7, "roq": "1e3"}
    given = reply({"request": {}, "answer": answer, "key": ""})
    values = [given[name]["value"] for name in ("quantity", "reserved_quantity", "reorder_point")]
    assert [*values, given["reorder_quantity"]["value"]] == ["24", "0", "0.0000001", "1000"]
    with pytest.raises(Unmappable, match="no number"):
        reply({"request": {}, "answer": {**answer, "onHand": "many"}, "key": ""})


def test_path_values_are_quoted() -> None:
    template = PathTemplate("/a/{x}?r={key}", "f:1")
    assert template.fill({"x": "a/b?c d", "key": "ä&"}) == "/a/a%2Fb%3Fc%20d?r=%C3%A4%26"
    assert template.fill({"x": "..", "key": 1}) == "/a/%2E%2E?r=1"
    with pytest.raises(Unmappable, match="needs 'x', which is empty"):
        template.fill({"x": None, "key": "k"})
    assert with_query("/a?b=1", {"c": True, "d": None, "e": "x y"}, "f:1") == "/a?b=1&c=true&e=x+y"
    with pytest.raises(Unmappable):
        with_query("/a", {"c": []}, "f:1")
