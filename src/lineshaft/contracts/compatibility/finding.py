"""One reason why two versions of a schema do not go together."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Finding", "Mode", "pointer_step"]


class Mode(StrEnum):
    """BACKWARD: readers of the new version take what writers of the old one write. FORWARD: the inverse."""

    BACKWARD = "backward"
    FORWARD = "forward"
    FULL = "full"


class Finding(msgspec.Struct, frozen=True):
    """path: JSON pointer into the reader's schema, references followed silently; "" is the whole document
    rule: stable snake_case name; `undecided_…` where neither yes nor no could be proved
    detail: what it was and what it became
    direction: `backward`, `forward`, or `both` for what is never compatible
    witness: JSON of a document that the writer may write and the reader refuses; empty where none was found
    """

    path: str
    rule: str
    detail: str
    direction: str
    witness: str = ""

    @property
    def field(self) -> str:
        """Where it is in a document, as `lines[].quantity`; empty for the whole document."""
        steps = iter(self.path.split("/")[1:])
        found = ""
        for step in steps:
            if step in ("properties", "patternProperties", "dependentSchemas", "dependentRequired"):
                name = next(steps, "").replace("~1", "/").replace("~0", "~")
                found += f".{name}" if found and step != "dependentSchemas" else name
            elif step == "items":
                found += "[]"
            elif step == "prefixItems":
                found += f"[{next(steps, '')}]"
            elif step == "additionalProperties":
                found += ".*" if found else "*"
            elif step in ("allOf", "anyOf", "oneOf"):
                next(steps, "")
        return found


def pointer_step(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")
