"""What product life-cycle management (PLM) is asked to do."""

from __future__ import annotations

from lineshaft.contracts.capability import Capability, query
from lineshaft.model.material import (
    MaterialDefinition,
    MaterialRef,
    MaterialVersion,
    OperationsDefinition,
    OperationsMaterialBill,
)

__all__ = ["ProductData"]


class ProductData(Capability, name="product_data", system_kind="plm"):
    @query(owner="engineering", entity="material_definition")
    async def material(self, request: MaterialRef) -> MaterialDefinition:
        """A material as engineering has it."""

    @query(owner="engineering", entity="operations_material_bill")
    async def bill(self, request: MaterialVersion) -> OperationsMaterialBill:
        """The bill of a material that holds on a day."""

    @query(owner="engineering", entity="operations_definition")
    async def routing(self, request: MaterialVersion) -> OperationsDefinition:
        """The operations that make a material on a day."""
