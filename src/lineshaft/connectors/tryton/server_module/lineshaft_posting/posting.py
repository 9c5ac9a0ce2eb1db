"""`lineshaft.posting`: one business key, one document, one transaction.

Over REST: `POST /<db>/rest/model/lineshaft.posting/post` with a JSON object of the arguments of
`Posting.post`; look-up by `GET /<db>/rest/model/lineshaft.posting` with the domain `[["key", "=", …]]`.
"""

from __future__ import annotations

import hashlib
import json

from trytond import backend
from trytond.exceptions import UserError, UserWarning
from trytond.model import ModelSQL, Unique, fields
from trytond.model.exceptions import SQLConstraintError
from trytond.pool import Pool
from trytond.protocols.jsonrpc import JSONEncoder
from trytond.rpc import RPC
from trytond.transaction import Transaction, without_check_access

from .references import resolve
from .refusal import Refusal, refusal_of

__all__ = ["Posting"]

# model: button: states in which the document has to be afterwards. Tryton ignores a transition that is not
# allowed without a word, so the state is looked at after each button.
ACCEPTED = {
    "stock.shipment.internal": {"wait": {"waiting"}, "assign_try": {"assigned"}, "do": {"done"}},
    "stock.shipment.in": {"receive": {"received"}, "do": {"done"}},
    "stock.move": {"do": {"done"}},
    "purchase.requisition": {
        "wait": {"waiting"},
        "approve": {"approved"},
        "process": {"processing", "done"},
    },
    "account.move": {"post": {"posted"}},
}


class Posting(ModelSQL):
    """What was posted under a key; written only by `post`."""

    __name__ = "lineshaft.posting"

    key = fields.Char("Key", required=True, readonly=True)
    fingerprint = fields.Char("Fingerprint", required=True, readonly=True)
    record = fields.Char("Record", readonly=True)
    number = fields.Char("Number", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        table = cls.__table__()
        cls._sql_constraints += [
            ("key_unique", Unique(table, table.key), "lineshaft_posting.msg_key_unique"),
        ]
        cls.__rpc__["post"] = RPC(readonly=False)

    @classmethod
    def post(cls, key=None, model=None, values=None, buttons=(), fingerprint=None, **unknown):
        """Create the document and press its buttons, or answer what was created under `key` before.

        key          business key, kept unique by the database
        values       field values of the new document; references as in `references.resolve`
        buttons      pressed in this order, each has to lead to its state
        fingerprint  of the caller's payload; without it, one of model, values and buttons
        returns      {"key", "record": "<model>,<id>", "number", "duplicate": bool}
        raises       Refusal with the codes of `refusal`, `key_conflict` (same key, other payload),
                     `not_accepted` (model or button), `insufficient_stock`, `wrong_state`;
                     DatabaseOperationalError after losing to a twin: the dispatcher then repeats the whole
                     call in a new transaction, which finds the twin's document
        """
        buttons = list(buttons)
        _check_arguments(key, model, values, buttons, unknown)
        fingerprint = fingerprint or _fingerprint_of(model, values, buttons)
        with without_check_access():
            if known := cls.search([("key", "=", key)]):
                return known[0]._answer_again(fingerprint)
            posting = cls._claim(key, fingerprint)
        with Transaction().set_context(Pool().get("res.user").get_preferences(context_only=True)):
            record = _create_and_press(model, values, buttons)
        with without_check_access():
            posting.record = str(record)
            posting.number = getattr(record, "number", None)
            posting.save()
        return posting._answer(duplicate=False)

    @classmethod
    def _claim(cls, key, fingerprint):
        """The first write of the transaction: a twin waits here for the database's lock, and then loses."""
        try:
            (posting,) = cls.create([{"key": key, "fingerprint": fingerprint}])
        except SQLConstraintError as lost:
            raise backend.DatabaseOperationalError(f"posting {key} was made by a concurrent call") from lost
        return posting

    def _answer_again(self, fingerprint):
        if self.fingerprint != fingerprint:
            raise Refusal("key_conflict", f"key {self.key} was used for another payload, see {self.record}")
        return self._answer(duplicate=True)

    def _answer(self, duplicate):
        return {"key": self.key, "record": self.record, "number": self.number, "duplicate": duplicate}


def _check_arguments(key, model, values, buttons, unknown):
    if unknown:
        raise Refusal("mapping_error", f"unknown argument {', '.join(sorted(unknown))}")
    if not key or not isinstance(key, str):
        raise Refusal("mapping_error", f"key has to be a text that is not empty, got {key!r}")
    if not isinstance(values, dict):
        raise Refusal("mapping_error", f"values have to be an object, got {type(values).__name__}")
    if model not in ACCEPTED:
        raise Refusal("not_accepted", f"model {model!r}, accepted are {', '.join(ACCEPTED)}")
    for button in buttons:
        if button not in ACCEPTED[model]:
            accepted = ", ".join(ACCEPTED[model])
            raise Refusal("not_accepted", f"button {button!r} of {model}, accepted are {accepted}")


def _create_and_press(model, values, buttons):
    try:
        values = _with_period(model, resolve(values))
        kind = Pool().get(model)
        record = kind.create([values])[0]
        for button in buttons:
            getattr(kind, button)([record])
            record = kind(record.id)
            _check_state(record, button)
    except (UserError, UserWarning) as error:
        raise refusal_of(error) from error
    except (AttributeError, KeyError, TypeError, ValueError) as malformed:
        raise Refusal("mapping_error", f"{model}: {type(malformed).__name__} {malformed}") from malformed
    return record


def _with_period(model, values):
    """An account.move without a period gets the open one of its date; none open: closed_period refusal."""
    if model != "account.move" or "period" in values:
        return values
    company = values.get("company") or Transaction().context.get("company")
    return {**values, "period": Pool().get("account.period").find(company, date=values.get("date")).id}


def _check_state(record, button):
    if record.state in ACCEPTED[record.__name__][button]:
        return
    if button == "assign_try":
        missing = ", ".join(
            f"{move.quantity:g} {move.unit.symbol} of {move.product.code} in {move.from_location.code}"
            for move in record.assign_moves
            if move.state in {"staging", "draft"}
        )
        raise Refusal("insufficient_stock", f"short of {missing}")
    raise Refusal("wrong_state", f"{record.rec_name} is {record.state} after {button}")


def _fingerprint_of(model, values, buttons):
    text = json.dumps([model, values, buttons], cls=JSONEncoder, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
