"""A folder of contracts as a plant has it, for the tests of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lineshaft.contracts.registry import (
    Compatibility,
    Contracts,
    Document,
    Kind,
    Signed,
    Version,
    draft,
    publish,
    read_contracts,
)

DESADV = "partner.acme.desadv"
SIGNED = Signed(at="2026-03-02T06:00:00.000000Z", by="erika", reason="agreed with ACME")


def payload(*required: str, **properties: Any) -> Document:
    """An object schema; a property is named with its type, or its schema."""
    made = {name: {"type": each} if isinstance(each, str) else each for name, each in properties.items()}
    return {"type": "object", "properties": made, "required": list(required)}


SHIPMENT = payload("shipment", shipment="string", weight="number")
WITH_CARRIER = payload("shipment", shipment="string", weight="number", carrier="string")
MUST_HAVE_WEIGHT = payload("shipment", "weight", shipment="string", weight="number")
"""Breaks those who write a shipment without its weight."""


def read(plant: Path) -> Contracts:
    """Of the plant alone: what comes with the product is left out."""
    return read_contracts(plant, plant / "nothing")


def add(
    plant: Path,
    document: Document,
    *,
    name: str = DESADV,
    kind: Kind = Kind.EXTERNAL,
    compatibility: Compatibility = Compatibility.FULL_TRANSITIVE,
    new_major: bool = False,
    published: bool = True,
) -> Version:
    version = draft(
        read(plant),
        name,
        document,
        kind=kind,
        owner="purchasing",
        compatibility=compatibility,
        new_major=new_major,
    )
    if published:
        assert publish(read(plant), [name], SIGNED) == [(name, version)]
    return version


def consumers(plant: Path, text: str) -> None:
    plant.mkdir(exist_ok=True)
    (plant / "consumers.yaml").write_text(text)
