"""References by business key inside the values of a document.

`{"$find": "product.product", "code": "SEAL-KIT-01"}` stands for the id of the one record whose fields equal
the given values. Looked up in the posting's own transaction, with the caller's access rights.
"""

from __future__ import annotations

from trytond.pool import Pool

from .refusal import Refusal

__all__ = ["resolve"]

MARK = "$find"


def resolve(value):
    """A copy of `value` with every reference in nested lists and dicts replaced by an id.

    raises  Refusal when none or several records match: account_determination for accounts and journals,
            unknown_reference for all else
    """
    if isinstance(value, dict):
        return _find(value) if MARK in value else {name: resolve(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(item) for item in value]
    return value


def _find(reference: dict) -> int:
    model = reference[MARK]
    fields = {name: value for name, value in reference.items() if name != MARK}
    shown = ", ".join(f"{name} {value!r}" for name, value in fields.items())
    try:
        found = Pool().get(model).search([(name, "=", value) for name, value in fields.items()], limit=2)
    except KeyError as unknown:
        raise Refusal("mapping_error", f"no model or field {unknown} to find {model} by") from unknown
    if len(found) != 1:
        code = "account_determination" if model.startswith("account.") else "unknown_reference"
        raise Refusal(code, f"{'several' if found else 'no'} {model} with {shown}")
    return found[0].id
