"""Numbers and units as people read them."""

from __future__ import annotations

import math

__all__ = ["count_text", "latency_text", "size_text", "unit_symbol", "value_text"]

# Symbols of the UNECE Rec 20 codes in `core.quantity`.
_SYMBOLS = {
    "C62": "",
    "H87": "pcs",
    "KGM": "kg",
    "GRM": "g",
    "TNE": "t",
    "LTR": "l",
    "MTQ": "m³",
    "PAL": "Pa",
    "KPA": "kPa",
    "MPA": "MPa",
    "BAR": "bar",
    "MBR": "mbar",
    "PS": "psi",
    "KEL": "K",
    "CEL": "°C",
    "FAH": "°F",
    "SEC": "s",
    "MIN": "min",
    "HUR": "h",
    "C16": "mm/s",
    "MTS": "m/s",
    "HTZ": "Hz",
    "RPM": "r/min",
    "AMP": "A",
    "KWT": "kW",
    "WTT": "W",
    "P1": "%",
}
_COUNTED = frozenset({"C62", "H87"})


def unit_symbol(code: str) -> str:
    return _SYMBOLS.get(code, code)


def value_text(value: float | None, unit: str = "") -> str:
    """Two decimals below a hundred, fewer above; a dash for what is no number. What is counted, or the number
    of a state, has none."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if unit in _COUNTED and size < 1e7 and value == int(value):
        return count_text(int(value))
    if size >= 1e7:
        return f"{value:.3e}"
    text = f"{value:,.{0 if size >= 1000 else 1 if size >= 100 else 2}f}"
    return text.replace(",", "\u202f").replace("-", "−")


def latency_text(milliseconds: float | None) -> str:
    if milliseconds is None or not math.isfinite(milliseconds):
        return ""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def count_text(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


def size_text(size: int) -> str:
    """Bytes as `812 B`, `4.2 MB`, `118 GB`: three digits are enough."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.{0 if value >= 10 or units[0] == 'B' else 1}f} {units[0]}"
