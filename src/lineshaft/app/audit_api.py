"""The audit over HTTP: verified on demand."""

from __future__ import annotations

import msgspec

from lineshaft.app.json_api import Decision, actor_of, body_of
from lineshaft.gateway.route import Answer, ApiRoute, Asked
from lineshaft.ledger.audit_verifying import Verification, Verifier

__all__ = ["audit_routes"]

_LONGEST_WAIT_S = 20.0


def audit_routes(verifier: Verifier) -> list[ApiRoute]:
    """POST /api/audit/verify: 200 with what was found, 202 while a long one goes on: its result is in the
    audit as `audit.verified`."""

    async def verify(asked: Asked) -> Answer:
        body = body_of(asked, Decision)
        by = actor_of(asked, body)
        found = await verifier.verify(by=by, reason=body.reason, wait_s=_LONGEST_WAIT_S)
        return Answer(body=found) if found else Answer(status=202, body={"runs": True})

    return [
        ApiRoute(
            method="POST",
            path="/api/audit/verify",
            name="verify_audit",
            summary="Recompute every chain of the audit, and find what was changed since it was written",
            permission="decide:audit",
            handler=verify,
            tag="audit",
            request=msgspec.json.schema(Decision),
            answers={200: msgspec.json.schema(Verification), 202: {"type": "object"}},
            problems=(503,),
        )
    ]
