"""A rule that hides fields is refused where nothing has the names it gives."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from lineshaft.app.cli import app

SETTINGS = "enterprise: northspring\nplant: leipzig\ntime_zone: Europe/Berlin\naccess: access.yaml\n"


def check(folder: Path, fields: str) -> list[str]:
    (folder / "lineshaft.yaml").write_text(SETTINGS)
    (folder / "access.yaml").write_text(
        f"accounts:\n  portal:\n    limits:\n      fields:\n        {fields}\n"
    )
    said = CliRunner().invoke(app, ["check", "--config", str(folder / "lineshaft.yaml")])
    assert said.exit_code == (1 if "error(s)" in said.stdout else 0)
    return [line for line in said.stdout.splitlines() if "access.yaml" in line]


def test_rules_for_what_is_served_are_taken(tmp_path: Path) -> None:
    nested = "order_status: {deny: [confirmation, last_event.type], mask: {job_order.equipment_id: hash}}"
    for fields in (
        nested,
        "list_orders: {allow: [items.id]}",
        "read_events: {deny: [data.price]}",  # what events carry is another contract
        "show_process: {deny: [anything]}",
        '"*": {deny: [price]}',
    ):
        assert check(tmp_path, fields) == [], fields


def test_a_rule_for_no_route_or_no_field_is_told_with_its_place(tmp_path: Path) -> None:
    place = f"{tmp_path / 'access.yaml'}:5: accounts.portal.limits.fields."
    (said,) = check(tmp_path, "order_statuz: {deny: [id]}")
    assert said == f"{place}order_statuz: no route has this name; did you mean 'order_status'?"
    (said,) = check(tmp_path, "order_status: {mask: {job_order.equipment: last4}}")
    assert said == (
        f"{place}order_status: its answers have no field 'job_order.equipment'; did you mean 'equipment_id'?"
    )
    (said,) = check(tmp_path, "list_orders: {deny: [id]}")
    assert said.endswith("no field 'id'; known: behind_s, items, next")
