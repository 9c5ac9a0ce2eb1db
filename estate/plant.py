"""The example plant, Northspring Leipzig, in one place: every simulated system is seeded from here."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AREA",
    "ENTERPRISE",
    "LINE",
    "MACHINES",
    "ORDER",
    "PLANT",
    "REASONS",
    "SITE",
    "STOCK",
    "TECHNICIANS",
    "WORK_CENTER",
    "Machine",
    "Order",
    "Reason",
    "SparePart",
    "Stock",
    "Technician",
    "machine",
]

ENTERPRISE = "northspring"
PLANT = SITE = "leipzig"
AREA = "bottling"
LINE = "l1"
WORK_CENTER = "BTL-L1"


@dataclass(frozen=True, kw_only=True)
class SparePart:
    material: str
    quantity: float
    unit: str = "C62"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine of the line: its place (equipment) and the thing standing there (physical asset).

    criticality    1 stops the site, 2 stops the line, 3 slows it
    units_per_min  nominal speed
    counts         what it counts is what the order has made
    """

    equipment: str
    asset: str
    name: str
    criticality: int
    cost_center: str
    repair_kit: tuple[SparePart, ...]
    units_per_min: float
    counts: bool = False

    @property
    def topic(self) -> str:
        """MQTT topic under which it publishes, without the tag."""
        return f"plant/{PLANT}/{AREA}/{LINE}/{self.equipment.lower()}"


@dataclass(frozen=True, kw_only=True)
class Order:
    """The production order that runs on the line. over_pct: how much more than planned may be made."""

    number: str
    job: str
    material: str
    planned: int
    good_at_start: int
    units_per_s: float
    due_in_h: float
    operation: str
    lot: str
    over_pct: float


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a machine stands still. signal: the machine's own number for it, 0 where it has none"""

    code: str
    signal: int
    is_leaf: bool
    postable: bool


@dataclass(frozen=True, kw_only=True)
class Stock:
    material: str
    name: str
    on_hand: float
    unit: str
    reorder_point: float
    reorder_quantity: float


@dataclass(frozen=True, kw_only=True)
class Technician:
    person: str
    name: str
    hourly_rate: str
    currency: str = "EUR"


MACHINES = (
    Machine(
        equipment="FILLER-01",
        asset="FIL-01",
        name="Rotary filler, 48 valves",
        criticality=2,
        cost_center="CC-4100",
        repair_kit=(SparePart(material="SEAL-KIT-01", quantity=1),),
        units_per_min=360,
        counts=True,
    ),
    Machine(
        equipment="CAPPER-01",
        asset="CAP-01",
        name="Screw capper, 12 heads",
        criticality=2,
        cost_center="CC-4100",
        repair_kit=(SparePart(material="GREASE-FG", quantity=0.5, unit="KGM"),),
        units_per_min=360,
    ),
    Machine(
        equipment="LABELLER-01",
        asset="LBL-01",
        name="Wrap-around labeller",
        criticality=3,
        cost_center="CC-4100",
        repair_kit=(),
        units_per_min=380,
    ),
    Machine(
        equipment="PALLETISER-01",
        asset="PAL-01",
        name="Layer palletiser",
        criticality=3,
        cost_center="CC-4200",
        repair_kit=(),
        units_per_min=400,
    ),
)

ORDER = Order(
    number="PO-4711",
    job="JOB-4711-10",
    material="WATER-05",
    planned=120_000,
    good_at_start=31_200,
    units_per_s=6.0,
    due_in_h=5,
    operation="10",
    lot="LOT-4711",
    over_pct=5,
)

REASONS = (
    Reason(code="MECH", signal=10, is_leaf=False, postable=False),
    Reason(code="MECH-JAM", signal=11, is_leaf=True, postable=True),
    Reason(code="MAT", signal=0, is_leaf=False, postable=False),
    Reason(code="MAT-EMPTY", signal=21, is_leaf=True, postable=True),
    Reason(code="CLEAN", signal=31, is_leaf=True, postable=False),
)

STOCK = (
    Stock(
        material="SEAL-KIT-01",
        name="Seal kit, filler valve",
        on_hand=24,
        unit="C62",
        reorder_point=4,
        reorder_quantity=20,
    ),
    Stock(
        material="VALVE-02",
        name="Filler valve",
        on_hand=6,
        unit="C62",
        reorder_point=2,
        reorder_quantity=4,
    ),
    Stock(
        material="GREASE-FG",
        name="Food-grade grease",
        on_hand=10,
        unit="KGM",
        reorder_point=3,
        reorder_quantity=10,
    ),
)

TECHNICIANS = (
    Technician(person="T-117", name="Jana Vogt", hourly_rate="52.00"),
    Technician(person="T-122", name="Ole Brandt", hourly_rate="46.50"),
)


def machine(equipment: str) -> Machine:
    """raises KeyError for an equipment that the plant does not have"""
    for candidate in MACHINES:
        if candidate.equipment == equipment:
            return candidate
    raise KeyError(f"{equipment}: the plant has {', '.join(known.equipment for known in MACHINES)}")
