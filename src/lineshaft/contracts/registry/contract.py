"""What the registry knows of a contract: its versions, the state of its majors, who owns it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from lineshaft.core.errors import ConfigError

__all__ = [
    "NAME",
    "Compatibility",
    "Contract",
    "ContractVersion",
    "Digest",
    "Document",
    "Kind",
    "MajorState",
    "Name",
    "State",
    "Version",
    "VersionText",
    "parts",
]

Document = dict[str, Any]
"""A JSON Schema; of an operation `{"request": schema, "reply": schema}`."""

NAME = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+")
_VERSION = r"[1-9][0-9]{0,5}\.(0|[1-9][0-9]{0,5})"

Name = Annotated[str, msgspec.Meta(pattern=f"^{NAME.pattern}$", max_length=200)]
VersionText = Annotated[str, msgspec.Meta(pattern=f"^{_VERSION}$")]
Digest = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]


class Kind(StrEnum):
    """external: a schema of somebody else, such as a partner's payload."""

    EVENT = "event"
    OPERATION = "operation"
    EXTERNAL = "external"


class State(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


class Compatibility(StrEnum):
    """What a new minor version must be to the one before it; transitive: to all of its major.

    backward: its readers take what was written by the earlier; forward: the inverse; full: both. Replies of
    an operation go the other way: where a new server must understand old requests, its answers must be
    understood by old callers.
    """

    BACKWARD = "backward"
    BACKWARD_TRANSITIVE = "backward_transitive"
    FORWARD = "forward"
    FORWARD_TRANSITIVE = "forward_transitive"
    FULL = "full"
    FULL_TRANSITIVE = "full_transitive"

    @property
    def is_transitive(self) -> bool:
        return self.endswith("_transitive")

    def direction(self, part: str) -> str:
        """`backward`, `forward` or `full`: how this part of a document is compared."""
        plain = self.removesuffix("_transitive")
        return {"backward": "forward", "forward": "backward"}.get(plain, plain) if part == "reply" else plain


class Version(msgspec.Struct, frozen=True, order=True):
    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """raises  ValueError for anything but `<major>.<minor>`, the major from 1"""
        if not re.fullmatch(_VERSION, text, re.ASCII):
            raise ValueError(f"{text!r} is no version; expected <major>.<minor>, such as 1.0")
        major, minor = map(int, text.split("."))
        return cls(major, minor)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class ContractVersion(msgspec.Struct, frozen=True, kw_only=True):
    """digest: as recorded when it was published; of a draft, empty. at: RFC 3339."""

    version: Version
    document: Document
    digest: str = ""
    at: str = ""
    by: str = ""
    reason: str = ""

    @property
    def is_draft(self) -> bool:
        return not self.digest


class MajorState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """sunset: date from which the major may be gone."""

    state: State = State.PUBLISHED
    sunset: str = ""
    at: str = ""
    by: str = ""
    reason: str = ""


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """versions: ascending; is_own: it came with the product."""

    name: str
    kind: Kind
    owner: str
    compatibility: Compatibility = Compatibility.FULL_TRANSITIVE
    versions: Sequence[ContractVersion] = ()
    majors: Mapping[int, MajorState] = {}
    is_own: bool = False

    def published(self, major: int | None = None) -> list[ContractVersion]:
        """Ascending; of one major, or of all."""
        return [each for each in self.versions if not each.is_draft and major in (None, each.version.major)]

    @property
    def drafts(self) -> list[ContractVersion]:
        return [each for each in self.versions if each.is_draft]

    def find(self, version: Version) -> ContractVersion | None:
        return next((each for each in self.versions if each.version == version), None)

    def major_state(self, major: int) -> MajorState:
        """Draft, as long as no version of it is published."""
        if not self.published(major):
            return MajorState(state=State.DRAFT)
        return self.majors.get(major, MajorState())

    def state(self, version: ContractVersion) -> State:
        return State.DRAFT if version.is_draft else self.major_state(version.version.major).state

    def earlier(self, version: Version) -> list[ContractVersion]:
        """The published versions that it must be compatible with."""
        found = [each for each in self.published(version.major) if each.version < version]
        return found if self.compatibility.is_transitive else found[-1:]

    def next_version(self, *, new_major: bool = False) -> Version:
        """After the newest published one."""
        published = self.published()
        if not published:
            return Version(1, 0)
        last = published[-1].version
        return Version(last.major + 1, 0) if new_major else Version(last.major, last.minor + 1)


def parts(kind: Kind, document: Document) -> dict[str, Document]:
    """The JSON Schemas of a document, by `request` and `reply`, or by nothing.

    raises  ConfigError
    """
    if kind is not Kind.OPERATION:
        return {"": document}
    if set(document) != {"request", "reply"} or not all(isinstance(each, dict) for each in document.values()):
        raise ConfigError(
            'the document of an operation is {"request": schema, "reply": schema};'
            f" this one has the members {', '.join(document) or '(none)'}"
        )
    return document
