"""One rule as the document declares it, and what a kind of rule has to say to be one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from lineshaft.telemetry.declaration import Section
from lineshaft.telemetry.rules.watch import Watch
from lineshaft.telemetry.tags import Tag, TagList, nearest

__all__ = ["SHARED", "Declared", "Kind", "Spec", "declared"]

P = TypeVar("P")

SHARED = ("id", "version", "kind", "property", "tag", "applies_to", "overrides")


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that all rules share, read and checked.

    tags        all that it applies to
    plant       the tag list, virtual tags included, for kinds that look for more tags of an equipment
    section     the rule's mapping, for the fields of its kind
    overrides   by physical asset: the same with the fields of the override laid over
    """

    id: str
    version: str
    tags: Sequence[Tag]
    plant: TagList
    section: Section
    overrides: dict[str, Section]

    def by_tag(self, read: Callable[[Section], P]) -> Iterator[tuple[Tag, P]]:
        """Each tag with the fields that hold for it; nothing if any of them is refused.

        read  takes the fields of the kind from a section; called once for the rule and for each override
        """
        before = self.section.findings.count
        of_all = read(self.section)
        of_asset = {asset: read(section) for asset, section in self.overrides.items()}
        if self.section.findings.count == before:
            for tag in self.tags:
                yield tag, of_asset.get(tag.physical_asset_id, of_all)


class Spec(Protocol):
    """What a rule comes to on one tag or one equipment, overrides applied; immutable."""

    @property
    def rule(self) -> str: ...

    @property
    def rule_version(self) -> str: ...

    @property
    def tag(self) -> Tag: ...


S = TypeVar("S", bound=Spec)


class Kind(Protocol[S]):
    """A kind of rule.

    fields       that it has beside the shared ones
    overridable  those of them that may be other on one physical asset
    """

    @property
    def fields(self) -> Sequence[str]: ...

    @property
    def overridable(self) -> Sequence[str]: ...

    def read(self, declared: Declared) -> Sequence[S]:
        """The specs of one rule; what is wrong goes to `declared.section.refuse`, and is never raised."""
        ...

    def watches(self, specs: Sequence[S]) -> Sequence[Watch]:
        """New watches for all specs of the kind, of all rules, in their order."""
        ...


def declared(section: Section, kind: Kind[Any], plant: TagList) -> Declared:
    """What the rule says in the shared fields; unknown fields are noted already."""
    applied = _applied(section, plant)
    return Declared(
        id=section.text("id"),
        version=section.text("version", whole_number_too=True),
        tags=applied,
        plant=plant,
        section=section,
        overrides=_overrides(section, kind, applied),
    )


def _applied(section: Section, tags: TagList) -> list[Tag]:
    """The tags that the rule names, by `tag` or by `property` and `applies_to`."""
    given = section.mapping
    if ("tag" in given) == ("property" in given):
        section.refuse("tag", "give either tag, or property with applies_to")
        return []
    if "tag" in given:
        if "applies_to" in given:
            section.refuse("applies_to", "is for rules on a property; a rule on a tag applies to that tag")
        return list(_named(section, "tag", [section.text("tag")], tags))
    wanted = section.text("property")
    properties = dict.fromkeys(tag.property for tag in tags)
    scope = section.section("applies_to", ("asset_class", "tags"))
    if wanted and wanted not in properties:
        section.refuse("property", f"{wanted!r} is no property of any tag{nearest(wanted, properties)}")
    elif scope is not None and ("asset_class" in scope.mapping) == ("tags" in scope.mapping):
        section.refuse("applies_to", "give either asset_class or tags")
    elif scope is not None and "tags" in scope.mapping:
        return [tag for tag in _named(scope, "tags", scope.texts("tags"), tags) if _has(scope, tag, wanted)]
    elif scope is not None:
        return _of_class(scope, wanted, tags)
    return []


def _of_class(scope: Section, wanted: str, tags: TagList) -> list[Tag]:
    name = scope.text("asset_class")
    classes = dict.fromkeys(tag.asset_class for tag in tags if tag.asset_class)
    if name and name not in classes:
        scope.refuse("asset_class", f"no tag has asset class {name!r}{nearest(name, classes)}")
        return []
    found = [tag for tag in tags if tag.asset_class == name and tag.property == wanted]
    if name and not found:
        scope.refuse(
            "asset_class", f"no tag of asset class {name!r} has property {wanted!r}; add one or drop the rule"
        )
    return found


def _named(section: Section, field: str, names: list[str], tags: TagList) -> Iterator[Tag]:
    for name in dict.fromkeys(names):
        if tag := tags.get(name):
            yield tag
        elif name:
            section.refuse(field, f"{name!r} is no tag of the tag list{nearest(name, tags.names)}")


def _has(scope: Section, tag: Tag, wanted: str) -> bool:
    if tag.property == wanted:
        return True
    scope.refuse("tags", f"{tag.tag!r} has property {tag.property!r}, not {wanted!r}; take it off the list")
    return False


def _overrides(section: Section, kind: Kind[Any], applied: list[Tag]) -> dict[str, Section]:
    if "overrides" not in section.mapping:
        return {}
    by_asset = section.section("overrides", None)
    if by_asset is None:
        return {}
    assets = list(dict.fromkeys(tag.physical_asset_id for tag in applied))
    found: dict[str, Section] = {}
    for asset in by_asset.mapping:
        if asset not in assets and applied:
            by_asset.refuse(asset, f"the rule applies to no tag of asset {asset!r}{nearest(asset, assets)}")
        own = by_asset.section(asset, kind.overridable)
        if own is not None:
            found[asset] = section.overlaid(own)
    return found
