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

        returns  {"quantity": float, "unit": symbol of the product's own unit, "sequence": int, "as_of": text}
                 sequence counts the product's done movements in and out of the location, cancelled ones twice
                 as_of is when the newest of them was entered: the same state is always told alike
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
                    "as_of": f"{(_newest(product_id, location_id) or record).create_date.isoformat()}Z",
                }


def _changes(product_id: int, location_id: int) -> int:
    """Grows also when a done movement is cancelled."""

    def count(state):
        return _movements(product_id, location_id, [state], order=[], count=True)

    return count("done") + 2 * count("cancelled")


def _newest(product_id: int, location_id: int):
    """The movement that was entered last, if there is any."""
    order = [("create_date", "DESC"), ("id", "DESC")]
    found = _movements(product_id, location_id, ["done", "cancelled"], order=order, limit=1)
    return found[0] if found else None


def _movements(product_id: int, location_id: int, states: list[str], **how):
    """In and out of the location and those below it; `how` as in Tryton's search."""
    places = ("from_location", "to_location")
    either = ["OR", *((place, "child_of", [location_id], "parent") for place in places)]
    question = [("product", "=", product_id), ("state", "in", states), either]
    return Pool().get("stock.move").search(question, **how)
