"""Signatures of webhooks against the example that the specification's libraries share, and against cheats."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from lineshaft.core.errors import ConfigError, PermanentFault
from lineshaft.core.signing import (
    body_signature_fits,
    check_standard,
    new_secret,
    secret_bytes,
    signed_headers,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, STAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
AT = datetime.fromtimestamp(STAMP, UTC)
EXPECTED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def headers(**changes: str) -> dict[str, str]:
    given = {"webhook-id": ID, "webhook-timestamp": str(STAMP), "webhook-signature": EXPECTED}
    return given | {name.replace("_", "-"): value for name, value in changes.items()}


def test_as_the_shared_example_has_it() -> None:
    assert signed_headers(SECRET, ID, AT, BODY) == headers()
    check_standard(headers(), BODY, [SECRET], AT)


def test_secrets_are_rotated_by_knowing_several_and_by_sending_several_signatures() -> None:
    new = new_secret()
    check_standard(headers(), BODY, [new, SECRET], AT)
    both = f"v1a,abc {signed_headers(new, ID, AT, BODY)['webhook-signature']} {EXPECTED}"
    check_standard(headers(webhook_signature=both), BODY, [new], AT)
    with pytest.raises(PermanentFault):
        check_standard(headers(), BODY, [new], AT)


@pytest.mark.parametrize("apart_s", [-299, 0, 299])
def test_clocks_may_differ_a_little(apart_s: int) -> None:
    check_standard(headers(), BODY, [SECRET], AT + timedelta(seconds=apart_s))


@pytest.mark.parametrize(
    ("changes", "body", "later_s", "why"),
    [
        ({}, BODY + b" ", 0, "not the signature"),
        ({"webhook_id": "another"}, BODY, 0, "not the signature"),
        ({"webhook_timestamp": str(STAMP + 1)}, BODY, 0, "not the signature"),
        ({"webhook_signature": EXPECTED.removeprefix("v1,")}, BODY, 0, "not the signature"),
        ({"webhook_signature": "v1,é"}, BODY, 0, "not the signature"),
        ({}, BODY, 301, "301 s away"),
        ({}, BODY, -301, "301 s away"),
        ({"webhook_timestamp": "soon"}, BODY, 0, "no number"),
        ({"webhook_timestamp": "9" * 400}, BODY, 0, "no number"),
        ({"webhook_signature": ""}, BODY, 0, "webhook-signature missing"),
        ({"webhook_id": "", "webhook_timestamp": ""}, BODY, 0, "webhook-id, webhook-timestamp missing"),
    ],
)
def test_what_is_not_proved(changes: dict[str, str], body: bytes, later_s: int, why: str) -> None:
    with pytest.raises(PermanentFault, match=why) as refused:
        check_standard(headers(**changes), body, [SECRET], AT + timedelta(seconds=later_s))
    assert refused.value.code == "wrong_signature"


def test_a_signature_over_the_body_alone() -> None:
    given = "sha256=" + hmac.new(b"It's a Secret to Everybody", b"Hello, World!", hashlib.sha256).hexdigest()
    assert given == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    known = ["another", "It's a Secret to Everybody"]
    assert body_signature_fits(given, "sha256=", b"Hello, World!", known)
    assert not body_signature_fits(given, "sha256=", b"Hello, World?", known)
    assert not body_signature_fits(given, "sha256=", b"Hello, World!", known[:1])
    assert not body_signature_fits(given, "sha256=", b"Hello, World!", [])


@pytest.mark.parametrize("secret", ["whsec_%%%", "whsec_" + base64.b64encode(b"short").decode(), ""])
def test_what_is_no_secret(secret: str) -> None:
    with pytest.raises(ConfigError):
        secret_bytes(secret)


def test_every_new_secret_is_another() -> None:
    assert len({new_secret() for _ in range(10)}) == 10
    assert len(secret_bytes(new_secret())) == 32
