"""What the HTTP APIs for people's decisions share: bodies that say why, and who decides."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, TypeVar

import msgspec

from lineshaft.core.access import LOCAL
from lineshaft.core.errors import ContractViolation
from lineshaft.gateway.problems import Refusal
from lineshaft.gateway.route import Asked, Parameter

__all__ = ["Decision", "Seen", "actor_of", "body_of", "limit_of", "limit_parameter"]

T = TypeVar("T")
MOST_LISTED = 1000
_LONGEST_NAME, _LONGEST_REASON = 200, 4000


Seen = Annotated[
    Annotated[int, msgspec.Meta(ge=0)] | None,
    msgspec.Meta(
        description="`decisions` as it was shown: if somebody has decided since then, nothing is done, and"
        " 409, changed_meanwhile, says who (changed_by) and when (changed_at). Else it does not matter",
    ),
]


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """by: who decides this, where the node does not know its callers; reason: why. Both are in the audit."""

    by: msgspec.UnsetType | Annotated[str, msgspec.Meta(max_length=_LONGEST_NAME)] = msgspec.UNSET
    reason: Annotated[str, msgspec.Meta(max_length=_LONGEST_REASON)] = ""


def body_of(asked: Asked, kind: type[T]) -> T:
    """raises  ContractViolation for what its schema does not say"""
    try:
        return msgspec.json.decode(asked.body, type=kind)
    except msgspec.DecodeError as error:
        raise ContractViolation("the body cannot be read", findings=[str(error)]) from error


def actor_of(asked: Asked, body: Decision) -> str:
    """The caller, or on a node without an access file whom the body names.

    raises  ContractViolation where nobody is named; Refusal, 403, where the caller names another
    """
    if asked.caller != LOCAL:
        if body.by not in (msgspec.UNSET, asked.caller.name):
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                f"{asked.caller.name} cannot decide in the name of {body.by}",
                code="not_your_name",
                hint="leave out `by`: the audit notes who asks",
            )
        return asked.caller.name
    if body.by is msgspec.UNSET or not body.by.strip():
        raise ContractViolation("nobody says who decides this", findings=["by: required (missing)"])
    return body.by


def limit_parameter(usual: int) -> Parameter:
    schema = {"type": "integer", "minimum": 1, "maximum": MOST_LISTED}
    return Parameter(name="limit", where="query", schema=schema, summary=f"Default: {usual}")


def limit_of(asked: Asked, usual: int) -> int:
    return int(asked.query.get("limit", usual))
