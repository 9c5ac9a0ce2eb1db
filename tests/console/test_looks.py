"""Small readable things: times, durations, figures, sparklines, tones; and colours that can be read."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import lineshaft.console
from lineshaft.console.figures import count_text, latency_text, unit_symbol, value_text
from lineshaft.console.moments import PlantTime, duration_text, offset_text
from lineshaft.console.sparkline import HEIGHT, WIDTH, sparkline
from lineshaft.console.tones import Tone, tone_of, worst
from lineshaft.core.quantity import UNITS

STATIC = Path(lineshaft.console.__file__).parent / "static"
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2026-07-01T09:15:02.123456Z", "11:15:02"),
        ("2026-06-30T22:30:00Z", "00:30:00"),
        ("2026-06-30T21:30:00Z", "30\u00a0Jun 23:30:00"),
        ("2025-12-31T12:00:00Z", "31\u00a0Dec 2025 13:00"),
    ],
)
def test_a_time_is_the_plants(at: str, text: str) -> None:
    moment = PlantTime("Europe/Berlin").moment(at, NOON)
    assert moment is not None
    assert moment.text == text
    assert moment.title.endswith("UTC")


@pytest.mark.parametrize("at", ["", None, "yesterday"])
def test_no_time_is_none(at: str | None) -> None:
    assert PlantTime("Europe/Berlin").moment(at, NOON) is None


@pytest.mark.parametrize(
    ("seconds", "duration", "offset"),
    [
        (0.0, "0 ms", "+0 ms"),
        (0.31, "310 ms", "+310 ms"),
        (0.9996, "1.0 s", "+1.00 s"),
        (59.97, "1 min 00 s", "+59.97 s"),
        (59.996, "1 min 00 s", "+1 min 00 s"),
        (125.0, "2 min 05 s", "+2 min 05 s"),
        (7341.0, "2 h 02 min", "+2 h 02 min 21 s"),
        (273_720.0, "3 d 04 h", "+3 d 04 h 02 min"),
        (-0.2, "−200 ms", "−200 ms"),
    ],
)
def test_durations(seconds: float, duration: str, offset: str) -> None:
    assert duration_text(seconds) == duration
    assert offset_text(seconds) == offset


def test_figures() -> None:
    assert [value_text(value) for value in (1.8, 71.842, 412.26, 12345.6, math.nan, None)] == [
        "1.80",
        "71.84",
        "412.3",
        "12\u202f346",
        "–",
        "–",
    ]
    assert [value_text(value, "C62") for value in (6.0, 3533.0, 0.5)] == ["6", "3\u202f533", "0.50"]
    assert (value_text(5.0, "BAR"), value_text(-0.5, "RPM")) == ("5.00", "−0.50")
    assert [latency_text(value) for value in (0.34, 41.0, 2210.0, None)] == ["0.3 ms", "41 ms", "2.2 s", ""]
    assert count_text(1234567) == "1\u202f234\u202f567"


def test_every_unit_of_the_product_has_a_symbol() -> None:
    unknown = [code for code in UNITS if unit_symbol(code) == code and code not in {"MPA"}]
    assert unknown == []
    assert unit_symbol("XYZ") == "XYZ"


def test_a_sparkline_stays_in_its_box() -> None:
    for points in ([1.0, 2.0, 3.0], [5.0] * 10, [1e9, -1e9], [1.0, math.nan, math.inf, 2.0]):
        line = sparkline(points, 2.0)
        assert line is not None
        for spot in line.points.split():
            x, y = map(float, spot.split(","))
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    assert sparkline([1.0], None) is None
    assert sparkline([math.nan, 1.0], None) is None


def test_a_limit_is_drawn_when_it_is_near() -> None:
    near, far = sparkline([2.0, 2.1, 1.9], 1.8), sparkline([2.0, 2.1, 1.9], 400.0)
    assert near is not None
    assert far is not None
    assert near.limit_y is not None
    assert far.limit_y is None


def test_tones() -> None:
    assert tone_of("failed", "call") is Tone.WARN
    assert tone_of("failed", "process") is Tone.BAD
    assert tone_of("Other") is Tone.PLAIN
    assert worst(Tone.GOOD, Tone.BAD, Tone.WARN) is Tone.BAD
    assert worst() is Tone.PLAIN


def _scheme(css: str, *, dark: bool) -> dict[str, str]:
    light_rule, dark_rule = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light_rule))
    return found | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark_rule)) if dark else {})


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_the_contrast_of_wcag_aa(dark: bool) -> None:
    scheme = _scheme((STATIC / "console.css").read_text(), dark=dark)
    pairs = [
        (text, ground)
        for text in ("text", "muted", "link")
        for ground in ("ground", "panel", "raised", "mark", "warn-soft", "bad-soft")
    ]
    pairs += [
        (tone, ground) for tone in ("busy", "warn", "bad") for ground in ("panel", "raised", f"{tone}-soft")
    ]
    pairs += [("warn", "ground"), ("bad", "ground"), ("warn", "mark"), ("bad", "mark")]
    pairs += [("on-bar", "bar"), ("bar-muted", "bar"), ("bar-muted", "bar-field"), ("on-bar", "bar-field")]
    weak = {pair: round(_contrast(scheme[pair[0]], scheme[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


def test_no_asset_asks_another_machine() -> None:
    for path in STATIC.glob("*.*"):
        text = path.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "//" not in re.sub(r"(?m)(^|\s)//.*$", "", text), path.name
        assert "@import" not in text
        assert "url(" not in text


def test_no_asset_of_others_does_either() -> None:
    vendored = [*(STATIC / "vendor").glob("*.js"), *(STATIC / "vendor").glob("*.css")]
    named = {host for path in vendored for host in re.findall(r"https?://([\w.]+)", path.read_text())}
    assert len(vendored) >= 4
    assert named <= {"www.w3.org", "github.com"}  # a namespace, and where uPlot's licence note points
    licences = (STATIC / "vendor" / "LICENSES.txt").read_text()
    assert [path.name for path in vendored if path.name not in licences] == []
