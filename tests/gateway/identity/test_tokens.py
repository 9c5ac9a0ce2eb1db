"""Signed tokens, our own and of issuers elsewhere: whose they are, and everything that is none."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.responses import Response

from lineshaft.core.access import Refused
from lineshaft.core.credentials import CredentialKind
from lineshaft.core.errors import TransientFault
from lineshaft.gateway.identity import SigningKeys
from lineshaft.store import Store
from tests.clocks import ManualClock
from tests.gateway.identity.issuer import Issuer, issuer_at_work
from tests.gateway.identity.node import ACCESS, URL, IdentityNode

GRANT = {"grant_type": "client_credentials"}


def basic(account: str, secret: str) -> str:
    return f"Basic {base64.b64encode(f'{account}:{secret}'.encode()).decode()}"


def told(answer: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(answer.body))
    return found


async def token_of(node: IdentityNode, account: str = "mes") -> str:
    _, secret = await node.make(account, CredentialKind.CLIENT)
    answer = await node.ask("POST", "/oauth2/token", GRANT, authorization=basic(account, secret))
    token: str = told(answer)["access_token"]
    return token


def b64(value: bytes | dict[str, Any]) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


async def refused(node: IdentityNode, token: str) -> bool:
    try:
        await node.caller(token)
    except Refused as error:
        return error.challenge == 'Bearer realm="lineshaft", error="invalid_token"'
    return False


async def test_a_client_gets_a_token_and_is_its_account(node: IdentityNode, clock: ManualClock) -> None:
    secret_id, secret = await node.make("mes", CredentialKind.CLIENT)
    answers = [
        await node.ask("POST", "/oauth2/token", GRANT, authorization=basic("mes", secret)),
        await node.ask("POST", "/oauth2/token", GRANT | {"client_id": "mes", "client_secret": secret}),
    ]
    for answer in answers:
        body = told(answer)
        assert (answer.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 600)
        assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
        caller = await node.caller(body["access_token"])
        assert (caller.name, caller.account, caller.system) == ("client:mes", "mes", "mes")
        assert (caller.credential, caller.plants) == (secret_id, {"leipzig"})
    clock.advance(600 + 59)
    assert not await refused(node, told(answers[0])["access_token"])
    clock.advance(1)
    assert await refused(node, told(answers[0])["access_token"])


async def test_the_token_endpoint_refuses_by_the_book(node: IdentityNode, clock: ManualClock) -> None:
    _, secret = await node.make("mes", CredentialKind.CLIENT)
    _, other = await node.make("portal", CredentialKind.CLIENT)
    _, key = await node.make("mes")
    _, short = await node.make("mes", CredentialKind.CLIENT, timedelta(seconds=10))
    clock.advance(10)
    both = GRANT | {"client_id": "mes", "client_secret": secret}
    cases: list[tuple[Any, str, int, str]] = [
        (GRANT, basic("mes", other), 401, "invalid_client"),
        (GRANT, basic("mes", key), 401, "invalid_client"),
        (GRANT, basic("mes", short), 401, "invalid_client"),
        (GRANT, basic("m\u0435s", secret), 401, "invalid_client"),
        (GRANT, "Basic ???", 401, "invalid_client"),
        (GRANT, f"Bearer {secret}", 401, "invalid_client"),
        (GRANT, "", 401, "invalid_client"),
        ({}, basic("mes", secret), 400, "invalid_request"),
        ({"grant_type": "password"}, basic("mes", secret), 400, "unsupported_grant_type"),
        (GRANT | {"scope": "admin"}, basic("mes", secret), 400, "invalid_scope"),
        (both, basic("mes", secret), 400, "invalid_request"),
        (GRANT | {"client_id": "portal"}, basic("mes", secret), 400, "invalid_request"),
        (b"grant_type=client_credentials&grant_type=password", basic("mes", secret), 400, "invalid_request"),
        (b"\xff\xfe", basic("mes", secret), 400, "invalid_request"),
    ]
    for form, authorization, status, error in cases:
        answer = await node.ask("POST", "/oauth2/token", form, authorization=authorization)
        assert (answer.status_code, told(answer)["error"]) == (status, error), (form, authorization)
        challenged = "www-authenticate" in answer.headers
        assert challenged == (status == 401 and bool(authorization))


async def test_others_can_check_our_tokens_by_what_we_publish(node: IdentityNode) -> None:
    token = await token_of(node)
    metadata = told(await node.ask("GET", "/.well-known/openid-configuration"))
    assert metadata == told(await node.ask("GET", "/.well-known/oauth-authorization-server"))
    assert (metadata["issuer"], metadata["jwks_uri"]) == (URL, f"{URL}/oauth2/jwks")
    (published,) = told(await node.ask("GET", "/oauth2/jwks"))["keys"]
    assert "d" not in published
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(
        token, jwt.PyJWK(published), ["ES256"], issuer=URL, audience="lineshaft", options=options
    )
    assert (claims["sub"], claims["client_id"]) == ("mes", "mes")


async def test_a_revoked_client_loses_its_tokens(node: IdentityNode, clock: ManualClock) -> None:
    secret_id, secret = await node.make("mes", CredentialKind.CLIENT)
    answer = await node.ask("POST", "/oauth2/token", GRANT, authorization=basic("mes", secret))
    token = told(answer)["access_token"]
    await node.caller(token)
    await node.credentials.revoke([secret_id], by="jo")
    clock.advance(5)
    assert await refused(node, token)


async def test_a_token_ends_with_the_secret_that_it_was_given_for(
    node: IdentityNode, clock: ManualClock
) -> None:
    _, secret = await node.make("mes", CredentialKind.CLIENT, timedelta(seconds=60))
    answer = await node.ask("POST", "/oauth2/token", GRANT, authorization=basic("mes", secret))
    token = told(answer)["access_token"]
    assert (await node.caller(token)).account == "mes"
    clock.advance(60)
    assert await refused(node, token)


async def test_no_forgery_of_our_tokens_is_taken(node: IdentityNode, clock: ManualClock) -> None:
    token = await token_of(node)
    head, body, signature = token.split(".")
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    keys = node.access._keys
    _, private = keys.current()
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    stranger = ec.generate_private_key(ec.SECP256R1())
    now = int(clock.now().timestamp())

    def signed(
        key: Any = private, alg: str = "ES256", *, without: str = "", head: Any = None, **other: Any
    ) -> str:
        told = {name: value for name, value in {**claims, **other}.items() if name != without}
        return jwt.encode(told, key, alg, {"kid": header["kid"], "typ": "at+jwt", **(head or {})})

    def mac(alg: str, secret: bytes) -> str:
        text = f"{b64({**header, 'alg': alg})}.{body}"
        return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"

    jwk = jwt.algorithms.ECAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    attacks = {
        "alg none": f"{b64({**header, 'alg': 'none'})}.{body}.",
        "alg None": f"{b64({**header, 'alg': 'None'})}.{body}.",
        "no alg": f"{b64({'typ': 'at+jwt', 'kid': header['kid']})}.{body}.{signature}",
        "no signature": f"{head}.{body}.",
        "HS256 with the public key": mac("HS256", public),
        "HS256 with nothing": mac("HS256", b""),
        "another's key": signed(stranger),
        "another's key, in the header": signed(stranger, head={"jwk": jwk}),
        "a key by URL": signed(stranger, head={"jku": "http://127.0.0.1/jwks", "x5u": "http://127.0.0.1/"}),
        "kid of a file": signed(stranger, head={"kid": "../../../../dev/null"}),
        "kid of SQL": signed(stranger, head={"kid": "x' UNION SELECT 'key"}),
        "kid of nobody": signed(head={"kid": "other"}),
        "RSA": signed(rsa.generate_private_key(65537, 2048), "RS256"),
        "changed": f"{head}.{b64({**claims, 'sub': 'jo'})}.{signature}",
        "signature of another token": f"{head}.{body}.{(await token_of(node, 'portal')).split('.')[2]}",
        "crit": signed(head={"crit": ["exp"]}),
        "another type": signed(head={"typ": "JWT"}),
        "another audience": signed(aud="elsewhere"),
        "no audience": signed(without="aud"),
        "another issuer": signed(iss="https://evil.example"),
        "expired": signed(exp=now - 60),
        "no end": signed(without="exp"),
        "an end that is no time": signed(exp="tomorrow"),
        "an end that never comes": signed(exp=float("nan")),
        "not yet": signed(nbf=now + 61),
        "of tomorrow": signed(iat=now + 86_400),
        "no subject": signed(without="sub"),
        "another account": signed(sub="portal"),
        "an account that looks like it": signed(sub="m\u0435s"),
        "no secret": signed(without="credential"),
        "a secret of nobody": signed(credential="lss_0000000000"),
        "no token": "a.b.c",
        "deep": f"{head}.{b64(b'[' * 5000)}.{signature}",
        "long": f"{head}.{b64({**claims, 'x': 'x' * 20_000})}.{signature}",
        "look-alike": token.replace("e", "\u0435"),
    }
    taken = [name for name, attack in attacks.items() if not await refused(node, attack)]
    assert taken == []
    assert (await node.caller(token)).account == "mes"
    assert (await node.caller(signed(nbf=now + 59))).account == "mes"


def test_signing_keys_are_for_their_owner_and_the_one_before_still_holds(
    tmp_path: Path, clock: ManualClock
) -> None:
    file = tmp_path / "data" / "signing-keys.json"
    keys, others = SigningKeys(file, clock), SigningKeys(file, clock)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first, _ = keys.current()
    assert others.current()[0] == first
    assert keys.rotate(only_if_old=True) is False
    clock.advance(90 * 86_400)
    assert keys.rotate(only_if_old=True) is True
    second, _ = others.current()
    assert second != first
    assert others.public(first) is not None
    assert len(others.jwks()["keys"]) == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    keys.rotate()
    assert others.public(first) is not None or others.current()[0] != second
    assert len(others.jwks()["keys"]) == 2
    assert keys.public(first) is None
    assert [path.name for path in file.parent.iterdir()] == ["signing-keys.json"]


@pytest.fixture
async def issuer(clock: ManualClock) -> AsyncIterator[Issuer]:
    async with issuer_at_work(clock) as found:
        yield found


@pytest.fixture
def known(store: Store, tmp_path: Path, clock: ManualClock, issuer: Issuer) -> IdentityNode:
    """A node that knows the issuer."""
    rules = {
        "name": "corp",
        "issuer": issuer.url,
        "audience": "lineshaft",
        "map": {"engineers": "engineer"},
        "plants_claim": "org.plants",
    }
    return IdentityNode(store, tmp_path, clock, {**ACCESS, "oidc": [rules]})


async def test_an_issuers_token_is_somebody_with_the_roles_that_the_file_maps(
    known: IdentityNode, issuer: Issuer
) -> None:
    said = {"roles": ["engineers", "administrator"], "org": {"plants": ["leipzig", "*"]}}
    caller = await known.caller(issuer.token(**said))
    assert (caller.name, caller.account) == ("oidc:corp#42", "oidc:corp#42")
    assert (caller.roles, caller.plants, caller.system) == ({"engineer"}, {"leipzig"}, "")
    for _ in range(20):
        await known.caller(issuer.token(sub="43"))
    assert issuer.asked == ["/.well-known/openid-configuration", "/jwks"]
    nobody = await known.caller(issuer.token(roles=None))
    assert (nobody.roles, nobody.permissions, nobody.plants) == (set(), set(), set())


async def test_no_forgery_of_an_issuers_token_is_taken(known: IdentityNode, issuer: Issuer) -> None:
    now = int(issuer.clock.now().timestamp())
    issuer.keys["theirs"] = rsa.generate_private_key(65537, 2048)
    good = issuer.token()
    await known.caller(good)
    head, body, signature = good.split(".")
    public = (
        issuer.keys["one"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    text = f"{b64({'alg': 'HS256', 'kid': 'one'})}.{body}"
    elsewhere = Issuer(issuer.clock)
    elsewhere.url = issuer.url
    attacks = {
        "expired": issuer.token(exp=now - 60),
        "another audience": issuer.token(aud="other"),
        "audience that begins so": issuer.token(aud="lineshaft2"),
        "no audience": issuer.token(aud=None),
        "issuer with a slash": issuer.token(iss=issuer.url + "/"),
        "another issuer": issuer.token(iss="https://evil.example"),
        "our own name": issuer.token(iss=URL),
        "not yet": issuer.token(nbf=now + 61),
        "no subject": issuer.token(sub=None),
        "another key under a known kid": elsewhere.token(),
        "unknown kid": issuer.token(headers={"kid": "other"}),
        "kid of a list": f"{b64({'alg': 'RS256', 'kid': ['one']})}.{body}.{signature}",
        "alg none": f"{b64({'alg': 'none', 'kid': 'one'})}.{body}.",
        "HS256": f"{text}.{b64(hmac.new(public, text.encode(), hashlib.sha256).digest())}",
        "no signature": f"{head}.{body}.",
    }
    taken = [name for name, attack in attacks.items() if not await refused(known, attack)]
    assert taken == []


async def test_a_new_key_of_the_issuer_is_found_but_not_asked_for_all_the_time(
    known: IdentityNode, issuer: Issuer, clock: ManualClock
) -> None:
    issuer.more_keys = [
        {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "mac", "alg": "HS256"},
        {"kty": "new", "kid": "unheard"},
        {"kid": 7},
    ]
    await known.caller(issuer.token())
    issuer.keys["two"] = rsa.generate_private_key(65537, 2048)
    assert await refused(known, issuer.token(kid="two"))  # asked a moment ago
    clock.advance(31)
    assert (await known.caller(issuer.token(kid="two"))).account == "oidc:corp#42"
    for number in range(10):
        assert await refused(known, issuer.token(headers={"kid": f"guess{number}"}))
    assert issuer.asked.count("/jwks") == 2
    mac = jwt.encode(
        {"iss": issuer.url, "aud": "lineshaft", "sub": "1", "exp": 9e9},
        b"secret" * 6,
        "HS256",
        {"kid": "mac"},
    )
    assert await refused(known, mac)


async def test_an_issuer_that_is_away_keeps_only_its_own_out(
    known: IdentityNode, issuer: Issuer, clock: ManualClock
) -> None:
    issuer.away = True
    with pytest.raises(TransientFault, match="cannot be had"):
        await known.caller(issuer.token())
    _, key = await known.make("mes")
    assert (await known.caller(key)).account == "mes"
    issuer.away = False
    clock.advance(31)
    assert (await known.caller(issuer.token())).account == "oidc:corp#42"
    issuer.away = True
    clock.advance(7200)
    assert (await known.caller(issuer.token())).account == "oidc:corp#42"
    clock.advance(86_400)
    with pytest.raises(TransientFault):
        await known.caller(issuer.token())


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "http://evil.example/jwks"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 7},
    ],
)
async def test_what_an_issuer_says_of_itself_is_not_simply_believed(
    said: dict[str, Any], known: IdentityNode, issuer: Issuer
) -> None:
    issuer.said = said
    with pytest.raises(TransientFault):
        await known.caller(issuer.token())
    assert issuer.asked == ["/.well-known/openid-configuration"]
