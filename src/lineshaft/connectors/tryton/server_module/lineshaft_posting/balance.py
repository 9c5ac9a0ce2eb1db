"""`lineshaft.balance`: what lies in a place, with a mark that grows with every change.

Over REST: `POST /<db>/rest/model/lineshaft.balance/of` with the arguments of `Balance.of`. Reads only.
"""

from __future__ import annotations

from trytond.model import Model
from trytond.pool import Pool
from trytond.rpc import RPC
from trytond.transaction import Transaction

from .references import resolve
from .refusal import Refusal

__all__ = ["Balance"]


class Balance(Model):
    """Stock on hand of one product in one location and those below it."""

    __name__ = "lineshaft.balance"

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__["of"] = RPC(readonly=True)

    @classmethod
    def of(cls, product=None, location=None, **unknown):
        """Both by their code.

        returns  {"quantity": float, "unit": symbol of the product's own unit, "sequence": int}
                 sequence counts the product's done movements in and out of the location, cancelled ones twice
        raises   Refusal(unknown_reference)
        """
        if unknown:
            raise Refusal("mapping_error", f"unknown argument {', '.join(sorted(unknown))}")
        pool = Pool()
        product_id = resolve({"$find": "product.product", "code": product})
        location_id = resolve({"$find": "stock.location", "code": location})
        with Transaction().set_context(pool.get("res.user").get_preferences(context_only=True)):
            today = pool.get("ir.date").today()
            with Transaction().set_context(locations=[location_id], with_childs=True, stock_date_end=today):
                record = pool.get("product.product")(product_id)
                return {
                    "quantity": record.quantity,
                    "unit": record.default_uom.symbol,
                    "sequence": _changes(product_id, location_id),
                }


def _changes(product_id: int, location_id: int) -> int:
    """Grows also when a done movement is cancelled."""
    movement = Pool().get("stock.move")

    def count(state):
        return movement.search(
            [
                ("product", "=", product_id),
                ("state", "=", state),
                [
                    "OR",
                    ("from_location", "child_of", [location_id], "parent"),
                    ("to_location", "child_of", [location_id], "parent"),
                ],
            ],
            order=[],
            count=True,
        )

    return count("done") + 2 * count("cancelled")
