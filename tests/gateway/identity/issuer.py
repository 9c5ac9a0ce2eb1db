"""An OIDC issuer of the test's own, which can be made to lie."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from lineshaft.core.clock import Clock

__all__ = ["Issuer", "issuer_at_work"]


class Issuer:
    """asked: paths that it was asked for; codes: code → (challenge, nonce, subject); roles: of everybody"""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.keys = {"one": rsa.generate_private_key(65537, 2048)}
        self.url = ""
        self.said: dict[str, Any] = {}
        self.more_keys: list[dict[str, Any]] = []
        self.away = False
        self.asked: list[str] = []
        self.codes: dict[str, tuple[str, str]] = {}
        self.claims: dict[str, Any] = {"roles": ["engineers"]}

    def token(self, *, kid: str = "one", headers: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(self.clock.now().timestamp())
        usual = {
            "iss": self.url,
            "aud": "lineshaft",
            "sub": "42",
            "iat": now,
            "exp": now + 300,
            **self.claims,
        }
        whole = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(whole, self.keys[kid], "RS256", {"kid": kid, **(headers or {})})

    async def discovery(self, request: web.Request) -> web.Response:
        self._note(request)
        usual = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
        }
        return web.json_response({**usual, **self.said})

    async def jwks(self, request: web.Request) -> web.Response:
        self._note(request)
        listed = [
            jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig"}
            for kid, key in self.keys.items()
        ]
        return web.json_response({"keys": [*listed, *self.more_keys]})

    async def exchange(self, request: web.Request) -> web.Response:
        self._note(request)
        form = await request.post()
        challenge, nonce = self.codes.pop(str(form["code"]), ("", ""))
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if challenge != base64.urlsafe_b64encode(digest).rstrip(b"=").decode():
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(
            {"id_token": self.token(**{"aud": form["client_id"], "nonce": nonce} | self.claims)}
        )

    def _note(self, request: web.Request) -> None:
        self.asked.append(request.path)
        if self.away:
            raise web.HTTPBadGateway


@asynccontextmanager
async def issuer_at_work(clock: Clock) -> AsyncIterator[Issuer]:
    issuer = Issuer(clock)
    served = web.Application()
    served.router.add_get("/.well-known/openid-configuration", issuer.discovery)
    served.router.add_get("/jwks", issuer.jwks)
    served.router.add_post("/token", issuer.exchange)
    runner = web.AppRunner(served)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield issuer
    finally:
        await runner.cleanup()
