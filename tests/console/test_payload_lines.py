"""Findings stand beside the lines that they are about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineshaft.console.payload_lines import payload_lines

PAYLOAD = {"unit": 7, "lines": [{"quantity": "x"}, {}], "note": "höher", "none": None}


def test_the_lines_are_the_payload() -> None:
    lines, elsewhere = payload_lines(PAYLOAD, [])
    assert json.loads("\n".join(line.text for line in lines)) == PAYLOAD
    assert elsewhere == []
    assert '  "note": "höher",' in [line.text for line in lines]


@pytest.mark.parametrize("value", [{}, [], 7, "text", None, [[]], {"a": {"b": []}}])
def test_any_json_has_lines(value: Any) -> None:
    lines, _ = payload_lines(value, ["(root): is wrong"])
    assert json.loads("\n".join(line.text for line in lines)) == value


def test_a_finding_stands_at_its_path_or_on_its_own() -> None:
    findings = ["unit: 7 is no text", "lines/0/quantity: no number", "lines/1: too short", "lines/1: empty"]
    lines, elsewhere = payload_lines(PAYLOAD, [*findings, "(root): 'id' is missing", "lines/7/x: gone"])
    marked = {line.text.strip(): line.findings for line in lines if line.findings}
    assert marked == {
        '"unit": 7,': ["7 is no text"],
        '"quantity": "x"': ["no number"],
        "{}": ["too short", "empty"],
    }
    assert elsewhere == ["'id' is missing", "lines/7/x: gone"]


def test_findings_beyond_what_is_shown_are_told() -> None:
    lines, elsewhere = payload_lines([*range(5000)], ["4999: too large"])
    assert lines[-1].text == "… 3002 more lines"
    assert elsewhere == ["4999: too large"]
