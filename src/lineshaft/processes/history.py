"""What the journal has of an instance, held against what its function asks for now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lineshaft.core.errors import PermanentFault
from lineshaft.processes.records import Step, in_order
from lineshaft.processes.stops import Park

__all__ = ["History", "diverged"]


class History:
    """A journal that recorded something else means that the function is not the one that wrote it."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = {step.step: step for step in steps}
        self._last: dict[str, int] = {}  # by prefix, the number of the last step that is recorded
        for path in self._steps:
            for prefix, number in _numbers(path):
                self._last[prefix] = max(self._last.get(prefix, -1), number)
        self._asked: dict[str, int] = {}  # likewise, that was asked for
        self._found: set[str] = set()

    def find(self, prefix: str, number: int, kind: str, name: str, asked: str) -> Step | None:
        """What came of this step earlier; None for one that is due for the first time.

        raises  Park when something else is recorded here, or something after it
        """
        path = f"{prefix}{number}"
        self._asked[prefix] = number
        earlier = self._steps.get(path)
        if earlier is None:
            if number <= self._last.get(prefix, -1):
                recorded = next(each for each in self._in_order() if self._is_from(each, prefix, number))
                raise diverged(path, f"{kind} {name} {asked}", recorded)
            return None
        self._found.add(path)
        if (earlier.kind, earlier.name, earlier.input) != (kind, name, asked):
            raise diverged(path, f"{kind} {name} {asked}", earlier)
        return earlier

    def gather(self, prefix: str, number: int) -> None:
        """raises  Park when a single step is recorded where there are several lines of them now"""
        self._asked[prefix] = number
        if recorded := self._steps.get(f"{prefix}{number}"):
            raise diverged(recorded.step, "gather", recorded)

    def unasked(self) -> Step | None:
        """The first recorded step that was not asked for, undos aside."""
        left = (each for each in self._in_order() if each.step not in self._found)
        return next((each for each in left if "u" not in each.step), None)

    def was_last(self, path: str) -> bool:
        """Nothing was asked for after it: what comes of it can still be changed."""
        return all(number >= self._asked.get(prefix, number) for prefix, number in _numbers(path))

    def _in_order(self) -> list[Step]:
        return sorted(self._steps.values(), key=lambda step: in_order(step.step))

    @staticmethod
    def _is_from(step: Step, prefix: str, number: int) -> bool:
        return any(each == prefix and found >= number for each, found in _numbers(step.step))


def diverged(path: str, asked: str, recorded: Step) -> Park:
    return Park(
        PermanentFault(
            f"replay diverged at step {path}: recorded {recorded.kind} {recorded.name} {recorded.input}"
            f"{'' if recorded.step == path else f' at {recorded.step}'}, asked {asked}",
            code="diverged",
            hint="run the version of the process that wrote this journal",
        ),
        path,
    )


def _numbers(path: str) -> Iterator[tuple[str, int]]:
    """Prefix and number at each level: of 3.1.0 these are 3, then 1 below `3.`, then 0 below `3.1.`."""
    prefix = ""
    for part in path.split("."):
        if part.isdigit():
            yield prefix, int(part)
        prefix += f"{part}."
