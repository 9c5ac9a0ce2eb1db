"""RFC 3339 times in bulk: text of the usual form is read in columns, any other one by one, to one end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lineshaft.telemetry.decode.sample import text_time
from lineshaft.telemetry.readings import Ints

__all__ = ["NO_TIME", "text_times"]

NO_TIME = -(2**63)
_SECONDS = len("2024-05-01T06:00:00")
_SEPARATORS = {4: "-", 7: "-", 10: "T", 13: ":", 16: ":"}


def text_times(texts: Sequence[str]) -> Ints:
    """µs since 1970, NO_TIME for what `text_time` refuses."""
    times = np.full(len(texts), NO_TIME, np.int64)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        if length > _SECONDS:
            same = texts if len(rows) == len(texts) else [texts[row] for row in rows.tolist()]
            block = np.frombuffer("".join(same).encode("ascii", "replace"), np.uint8).reshape(-1, length)
            times[rows] = _columns(block)
    for row in np.flatnonzero(times == NO_TIME).tolist():
        try:
            times[row] = text_time(texts[row])
        except ValueError:
            continue
    return times


def _columns(text: NDArray[np.uint8]) -> Ints:
    """Of texts of one length, those with Z or an offset and at most six digits of a fraction."""
    zulu = text[:, -1] == ord("Z")
    if zulu.all():
        return _utc(text[:, :-1])
    times = np.full(len(text), NO_TIME, np.int64)
    times[zulu] = _utc(text[zulu, :-1])
    sign = text[:, -6]
    shifted = (
        ~zulu & ((sign == ord("+")) | (sign == ord("-"))) & (text[:, -3] == ord(":"))
        if text.shape[1] >= _SECONDS + 6
        else np.zeros(len(text), np.bool_)
    )
    if shifted.any():
        part = text[shifted]
        hours, right = _number(part[:, -5:-3])
        minutes, also = _number(part[:, -2:])
        offset = (hours * 60 + minutes) * 60_000_000
        local = _utc(part[:, :-6])
        utc = local - np.where(part[:, -6] == ord("-"), -offset, offset)
        right &= also & (hours <= 23) & (minutes <= 59) & (local != NO_TIME)
        times[shifted] = np.where(right, utc, NO_TIME)
    return times


def _utc(text: NDArray[np.uint8]) -> Ints:
    """Of `YYYY-MM-DDThh:mm:ss` and perhaps `.` and one to six digits."""
    none = np.full(len(text), NO_TIME, np.int64)
    fraction = text.shape[1] - _SECONDS - 1
    if fraction > 6 or fraction == 0 or fraction < -1:
        return none
    right = np.ones(len(text), np.bool_)
    for column, separator in _SEPARATORS.items():
        right &= text[:, column] == ord(separator)
    year, month, day, hour, minute, second = (
        _checked(text[:, start:stop], right)
        for start, stop in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))
    )
    micro = np.zeros(len(text), np.int64)
    if fraction > 0:
        right &= text[:, _SECONDS] == ord(".")
        micro = _checked(text[:, _SECONDS + 1 :], right) * 10 ** (6 - fraction)
    right &= (year >= 1) & (month >= 1) & (month <= 12) & (hour <= 23) & (minute <= 59) & (second <= 59)
    months = (year - 1970) * 12 + np.where(right, month, 1) - 1
    first, after = (
        (months + more).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for more in (0, 1)
    )
    right &= (day >= 1) & (day <= after - first)
    seconds = ((first + day - 1) * 24 + hour) * 3600 + minute * 60 + second
    return np.where(right, seconds * 1_000_000 + micro, none)


def _checked(text: NDArray[np.uint8], right: NDArray[np.bool_]) -> Ints:
    number, digits = _number(text)
    right &= digits
    return number


def _number(text: NDArray[np.uint8]) -> tuple[Ints, NDArray[np.bool_]]:
    """Of columns of decimal digits, and where they are that."""
    number, right = np.zeros(len(text), np.int64), np.ones(len(text), np.bool_)
    for column in range(text.shape[1]):
        digit = text[:, column] - np.uint8(ord("0"))
        right &= digit <= 9
        number = number * 10 + digit
    return number, right
