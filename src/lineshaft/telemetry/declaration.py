"""Reading a parsed YAML document field by field, so that every finding is reported with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from lineshaft.core.errors import ConfigError
from lineshaft.telemetry.tags import nearest

__all__ = ["Findings", "LineOf", "Path", "Section"]

Path = tuple[str | int, ...]
LineOf = Callable[[Path], int | None]


class Findings:
    """Collects `file:line: place: what`; the line is left out where nobody knows it."""

    def __init__(self, file: str, line_of: LineOf | None) -> None:
        self._file = file
        self._line_of = line_of
        self._found: list[str] = []

    @property
    def count(self) -> int:
        return len(self._found)

    def add(self, path: Path, what: str) -> None:
        line = self._line(path)
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        where = f"{self._file}:{line}" if line else self._file
        self._found.append(f"{where}: {place or 'the document'}: {what}")

    def raise_if_any(self, what: str) -> None:
        """raises ConfigError"""
        if self._found:
            raise ConfigError(f"{what}: {self.count} errors", findings=self._found)

    def _line(self, path: Path) -> int | None:
        if self._line_of is None:
            return None
        known = (self._line_of(path[:length]) for length in range(len(path), -1, -1))
        return next((line for line in known if line), None)


class Section:
    """One mapping of the document. Each read notes what is wrong and then yields a harmless stand-in.

    fields  the names it may have, None for any
    """

    def __init__(
        self, findings: Findings, path: Path, document: object, fields: Sequence[str] | None
    ) -> None:
        self.findings = findings
        self._path = path
        self.mapping: dict[str, object] = {}
        if not isinstance(document, Mapping):
            findings.add(path, f"is {document!r:.60}; expected a mapping")
            return
        for name, value in document.items():
            if not isinstance(name, str):
                findings.add(path, f"key {name!r} is no text; put it in quotes")
            elif fields is not None and name not in fields:
                findings.add(
                    (*path, name), f"is unknown{nearest(name, fields) or '; known: ' + ', '.join(fields)}"
                )
            else:
                self.mapping[name] = value

    def refuse(self, field: str, what: str) -> None:
        self.findings.add((*self._path, field), what)

    def only(self, fields: Sequence[str]) -> Section:
        """This mapping, once it is known which names it may have."""
        return Section(self.findings, self._path, self.mapping, fields)

    def overlaid(self, own: Section) -> Section:
        """This mapping with the fields of `own` laid over, which alone it notes findings on."""
        return _Overlaid(self, own)

    def text(self, field: str, *, whole_number_too: bool = False) -> str:
        value = self.mapping.get(field)
        if whole_number_too and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value.strip():
            return value
        self._refuse_value(field, "non-empty text, in quotes if it looks like a number")
        return ""

    def texts(self, field: str) -> list[str]:
        value = self.mapping.get(field)
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return value
        self._refuse_value(field, "a list of names")
        return []

    def choice(self, field: str, known: Sequence[str]) -> str:
        value = self.mapping.get(field)
        if isinstance(value, str) and value in known:
            return value
        hint = nearest(value, known) if isinstance(value, str) else ""
        self._refuse_value(field, f"one of {', '.join(known)}{hint}")
        return known[0]

    def number(
        self, field: str, *, default: float | None = None, at_least: float = -1e15, at_most: float = 1e15
    ) -> float:
        value = self.mapping.get(field, default)
        a_number = isinstance(value, int | float) and not isinstance(value, bool)
        if a_number and at_least <= value <= at_most:  # type: ignore[operator]
            return float(value)  # type: ignore[arg-type]
        self._refuse_value(field, f"a number from {at_least:g} to {at_most:g}")
        return 0.0

    def numbers(self, field: str, *, at_least: float, at_most: float) -> list[float]:
        """A list of numbers, or one."""
        value = self.mapping.get(field)
        values = value if isinstance(value, list) else [value]
        if values and all(
            isinstance(item, int | float) and not isinstance(item, bool) and at_least <= item <= at_most
            for item in values
        ):
            return [float(item) for item in values]  # type: ignore[arg-type]
        self._refuse_value(field, f"a list of numbers from {at_least:g} to {at_most:g}")
        return []

    def whole(self, field: str, lowest: int, highest: int, *, default: int | None = None) -> int:
        value = self.mapping.get(field, default)
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        self._refuse_value(field, f"a whole number from {lowest} to {highest}")
        return lowest

    def section(self, field: str, fields: Sequence[str] | None) -> Section | None:
        if field not in self.mapping:
            self._refuse_value(field, "a mapping")
            return None
        return Section(self.findings, (*self._path, field), self.mapping[field], fields)

    def sections(self, field: str, fields: Sequence[str] | None) -> Iterator[Section]:
        value = self.mapping.get(field)
        if not isinstance(value, list):
            self._refuse_value(field, "a list")
            return
        for index, item in enumerate(value):
            yield Section(self.findings, (*self._path, field, index), item, fields)

    def _refuse_value(self, field: str, expected: str) -> None:
        found = f"is {self.mapping[field]!r:.60}" if field in self.mapping else "is missing"
        self.refuse(field, f"{found}; expected {expected}")


class _Overlaid(Section):
    def __init__(self, base: Section, own: Section) -> None:
        self.findings = own.findings
        self.mapping = base.mapping | own.mapping
        self._path = own._path
        self._own = own.mapping.keys()

    def refuse(self, field: str, what: str) -> None:
        if field in self._own:
            super().refuse(field, what)

    def section(self, field: str, fields: Sequence[str] | None) -> Section | None:
        if field in self._own or field not in self.mapping:
            return super().section(field, fields)
        return Section(_told_before(), (), self.mapping[field], fields)

    def sections(self, field: str, fields: Sequence[str] | None) -> Iterator[Section]:
        if field in self._own or not isinstance(self.mapping.get(field), list):
            return super().sections(field, fields)
        return Section(_told_before(), (), self.mapping, None).sections(field, fields)


def _told_before() -> Findings:
    return Findings("", None)
