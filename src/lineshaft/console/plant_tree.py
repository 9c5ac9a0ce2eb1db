"""A plant as a tree, from its areas down to machines and the assets in them; the worst state goes up.

Where equipment is, master data say. What they do not tell of is placed by the topics of its tags, where these
name the plant and what is between it and the equipment; else it stands right below the plant.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lineshaft.console.tones import Tone
from lineshaft.console.views import LiveValue, ValueState
from lineshaft.contracts.plant_facts import Condition, MachineFacts, Place, TagFacts

__all__ = ["Branch", "Share", "plant_tree", "shares", "tone_of_condition", "with_live"]

_TONES = {
    Condition.DOWN: Tone.BAD,
    Condition.BEYOND: Tone.BAD,
    Condition.ALARM: Tone.WARN,
    Condition.SILENT: Tone.WARN,
    Condition.NORMAL: Tone.GOOD,
    Condition.RUNNING: Tone.GOOD,
}
_ORDER = list(Condition)
_CALM = (Condition.UNKNOWN, Condition.STANDING, Condition.RUNNING, Condition.NORMAL)


class Share(msgspec.Struct, frozen=True):
    """How many machines are in a condition."""

    condition: Condition
    tone: Tone
    count: int


class Branch(msgspec.Struct, kw_only=True):
    """key: unlike any other in the tree; level: in ISA-95 words, where somebody says; tone: of the worst."""

    key: str
    title: str
    level: str = ""
    machine: MachineFacts | None = None
    tone: Tone = Tone.PLAIN
    below: list[Branch] = msgspec.field(default_factory=list)
    shares: list[Share] = msgspec.field(default_factory=list)


def tone_of_condition(condition: Condition) -> Tone:
    return _TONES.get(condition, Tone.PLAIN)


def shares(machines: Mapping[Condition, int]) -> list[Share]:
    """The worst first."""
    return [Share(each, tone_of_condition(each), machines[each]) for each in _ORDER if machines.get(each)]


def with_live(
    plant: str, machines: Iterable[MachineFacts], tags: Iterable[TagFacts], values: Iterable[LiveValue]
) -> list[MachineFacts]:
    """The plant's machines, those that only the tag list knows among them, as their live values say."""
    states: dict[str, set[ValueState]] = defaultdict(set)
    for value in values:
        states[value.equipment].add(value.state)
    found = {machine.id: machine for machine in machines}
    for tag in tags:
        machine = found.get(tag.equipment_id) or MachineFacts(id=tag.equipment_id, plant=plant)
        if tag.physical_asset_id not in (machine.id, *machine.assets):
            machine = msgspec.structs.replace(machine, assets=(*machine.assets, tag.physical_asset_id))
        found[machine.id] = machine
    for name in states.keys() & found.keys():
        now = _live(found[name].condition, states[name])
        found[name] = msgspec.structs.replace(found[name], condition=now)
    inside = {asset for machine in found.values() for asset in machine.assets}
    return [machine for name, machine in sorted(found.items()) if name not in inside]


def _live(told: Condition, states: set[ValueState]) -> Condition:
    if ValueState.BREACH in states and told is not Condition.DOWN:
        return Condition.BEYOND
    if told in _CALM and states <= {ValueState.STALE, ValueState.UNKNOWN} and ValueState.STALE in states:
        return Condition.SILENT
    return Condition.NORMAL if told is Condition.UNKNOWN and ValueState.NORMAL in states else told


def plant_tree(
    plant: str, machines: Sequence[MachineFacts], places: Sequence[Place], tags: Iterable[TagFacts] = ()
) -> Branch:
    root = Branch(key="plant", title=plant)
    grown = _Grown(plant, root, places)
    topics = {tag.equipment_id: tag for tag in reversed(list(tags))}
    for machine in machines:
        branch = grown.places.get(machine.id.lower())
        if branch is None:
            branch = Branch(key=machine.id, title=machine.id)
            tag = topics.get(machine.id)
            grown.at(_path_of_topic(plant, tag, machine) if tag else []).below.append(branch)
        branch.machine = machine
    _roll_up(root)
    return root


class _Grown:
    """places: the branch of each by its id in lower case; they hang where master data say."""

    def __init__(self, plant: str, root: Branch, places: Sequence[Place]) -> None:
        self._root = root
        self._groups: dict[tuple[str, ...], Branch] = {(): root}
        self.places = {
            place.id.lower(): Branch(key=place.id, title=place.id, level=_words(place.level))
            for place in places
        }
        for name in (plant.lower(), ""):
            if name in self.places:
                root.title, root.level = self.places[name].title, self.places[name].level
                self.places[name] = root
        parents = {place.id.lower(): place.parent.lower() for place in places}
        for place in places:
            branch = self.places[place.id.lower()]
            if branch is not root:
                self._above(plant, place, parents).below.append(branch)

    def _above(self, plant: str, place: Place, parents: Mapping[str, str]) -> Branch:
        above = parents[place.id.lower()]
        seen = {place.id.lower()}
        while above and above not in seen:
            seen.add(above)
            above = parents.get(above, "")
        is_circle = bool(above)
        parent = self.places.get(place.parent.lower())
        if parent is not None and not is_circle:
            return parent
        path = [] if is_circle else _inside(plant, place.path.split("/"))
        return self.at(path[:-1] if path and path[-1].lower() == place.id.lower() else path)

    def at(self, path: Sequence[str]) -> Branch:
        """The branch of this path below the plant, grown where there is none."""
        branch = self._root
        for depth, name in enumerate(path, 1):
            known = self.places.get(name.lower())
            way = tuple(part.lower() for part in path[:depth])
            if known is None:
                known = self._groups.get(way)
            if known is None:
                known = self._groups[way] = Branch(key="/".join(way), title=name)
                branch.below.append(known)
            branch = known
        return branch


def _words(level: str) -> str:
    """`ProductionLine` as `production line`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", level).lower()


def _inside(plant: str, path: Sequence[str]) -> list[str]:
    """What of a path is below the plant; nothing where it does not name the plant."""
    names = [name.lower() for name in path]
    return list(path[names.index(plant.lower()) + 1 :]) if plant.lower() in names else []


def _path_of_topic(plant: str, tag: TagFacts, machine: MachineFacts) -> list[str]:
    path = _inside(plant, tag.topic.split("/"))
    own = {machine.id.lower(), *(asset.lower() for asset in machine.assets)}
    for depth, name in enumerate(path):
        if name.lower() in own:
            return path[:depth]
    return path[:-1]


def _roll_up(branch: Branch) -> Counter[Condition]:
    branch.below.sort(key=lambda each: _natural(each.title))
    found: Counter[Condition] = Counter()
    if branch.machine is not None:
        found[branch.machine.condition] += 1
    for below in branch.below:
        found += _roll_up(below)
    branch.shares = shares(found)
    branch.tone = branch.shares[0].tone if branch.shares else Tone.PLAIN
    return found


def _natural(title: str) -> list[tuple[int, str]]:
    """FILLER-2 before FILLER-10."""
    parts = re.split(r"(\d+)", title.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
