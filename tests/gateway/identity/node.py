"""Identity as a node has it, on a real store, with pages that say what they were given."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import yaml
from starlette.responses import PlainTextResponse, Response

from lineshaft.core.access import Caller
from lineshaft.core.clock import Clock
from lineshaft.core.credentials import Credential, CredentialKind
from lineshaft.gateway.exchange import ANONYMOUS
from lineshaft.gateway.identity import hash_password, make_access, make_secret, read_access, stored
from lineshaft.gateway.problems import Refusal, problem_of
from lineshaft.gateway.route import Answer, Asked
from lineshaft.ledger import Audit
from lineshaft.ledger.accounts import StoredCredentials, StoredSessions
from lineshaft.store import Store

URL = "https://lineshaft.example"

ACCESS: dict[str, Any] = {
    "url": URL,
    "roles": {"terminal": {"may": ["publish:production.*"]}},
    "accounts": {
        "mes": {"roles": ["integrator", "terminal"], "plants": ["leipzig"], "system": "mes"},
        "portal": {"roles": ["viewer"], "plants": "*", "groups": ["buyers"]},
        "jo": {"kind": "person", "roles": ["engineer"], "plants": "*"},
    },
    "sessions": {"idle_s": 600, "longest_s": 3600},
}


class Pages:
    def login(self, *, next: str, fault: str, issuers: Sequence[tuple[str, str]], status: int) -> Response:
        return PlainTextResponse(f"login {next} {fault} {issuers}", status)

    def logout(self, *, name: str, csrf_token: str) -> Response:
        return PlainTextResponse(f"{name} {csrf_token}")


class IdentityNode:
    """One process; several on the same store are several processes."""

    def __init__(
        self, store: Store, folder: Path, clock: Clock, access: dict[str, Any] | None = None
    ) -> None:
        self.clock = clock
        self.file = folder / "access.yaml"
        self.file.write_text(yaml.safe_dump(access or ACCESS))
        audit = Audit("node", clock)
        self.credentials = StoredCredentials(store, audit, clock)
        self.sessions = StoredSessions(store, audit, clock)
        self.access = make_access(
            read_access(self.file, ["mes", "erp"]),
            credentials=self.credentials,
            sessions=self.sessions,
            pages=Pages(),
            keys_file=folder / "signing-keys.json",
            url="http://127.0.0.1:8600",
            tls=False,
            clock=clock,
        )
        self._routes = {(route.method, route.path): route for route in self.access.routes}

    async def make(
        self, account: str, kind: CredentialKind = CredentialKind.KEY, lives: timedelta | None = None
    ) -> tuple[str, str]:
        """(id, secret text)"""
        credential_id, text = make_secret(kind)
        await self._add(credential_id, kind, account, stored(text), lives)
        return credential_id, text

    async def set_password(self, account: str, password: str) -> None:
        await self._add(
            f"password:{account}", CredentialKind.PASSWORD, account, hash_password(password), None
        )

    async def caller(self, token: str) -> Caller:
        return await self.access.authenticator.caller(f"Bearer {token}", "")

    async def by_cookie(self, cookie: str) -> Caller:
        return await self.access.authenticator.caller("", cookie)

    async def ask(
        self,
        method: str,
        path: str,
        form: dict[str, str] | bytes = b"",
        *,
        query: dict[str, str] | None = None,
        where: dict[str, str] | None = None,
        address: str = "192.0.2.1",
        **headers: str,
    ) -> Response:
        """What the handler of a public route answers, as the gateway sends it. path: as it is declared"""
        asked = Asked(
            caller=ANONYMOUS,
            path=where or {},
            query=query or {},
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            body=form if isinstance(form, bytes) else urlencode(form).encode(),
            plant="leipzig",
            correlation_id="c",
            request_id="r",
            address=address,
        )
        try:
            answer = await self._routes[method, path].handler(asked)
        except Refusal as refusal:
            return problem_of(refusal)
        if isinstance(answer, Answer):
            return Response(msgspec.json.encode(answer.body), answer.status, dict(answer.headers))
        return answer

    async def _add(
        self, credential_id: str, kind: CredentialKind, account: str, hash: str, lives: timedelta | None
    ) -> None:
        now = self.clock.now()
        credential = Credential(
            credential_id=credential_id,
            kind=kind,
            account=account,
            hash=hash,
            created_at=now,
            expires_at=now + lives if lives else None,
        )
        await self.credentials.add(credential, by="test")
