"""Certificates as files."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from lineshaft.connectors.opcua.certificates import Certificates, fingerprint
from lineshaft.core.errors import ConfigError, PermanentFault


def certificates(folder: Path, *, pinned: Path | None = None, trust_first: bool = False) -> Certificates:
    return Certificates(folder, pinned=pinned, trust_first=trust_first)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The certificate of a server, DER."""
    theirs = certificates(tmp_path_factory.mktemp("server"))
    theirs.make_own("urn:server")
    return theirs.own.read_bytes()


def test_an_own_certificate_is_made_once_and_kept(tmp_path: Path) -> None:
    own = certificates(tmp_path)
    own.make_own("urn:lineshaft:line1")
    first = own.own.read_bytes()
    own.make_own("urn:lineshaft:line1")
    assert own.own.read_bytes() == first
    with pytest.raises(ConfigError, match="is for urn:lineshaft:line1, not for urn:other"):
        own.make_own("urn:other")


def test_half_of_an_identity_is_not_made_whole_silently(tmp_path: Path) -> None:
    own = certificates(tmp_path)
    own.make_own("urn:lineshaft:line1")
    own.key.unlink()
    with pytest.raises(ConfigError, match="cannot be used"):
        own.make_own("urn:lineshaft:line1")


def test_a_certificate_in_trusted_is_trusted_in_der_and_pem(tmp_path: Path, server: bytes) -> None:
    (tmp_path / "trusted").mkdir()
    file = tmp_path / "trusted" / "line1.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(server), encoding="ascii")
    certificates(tmp_path).check_server(server, "opc.tcp://line1")
    file.unlink()
    with pytest.raises(PermanentFault, match=fingerprint(server)):
        certificates(tmp_path).check_server(server, "opc.tcp://line1")
    file.with_suffix(".der").write_bytes(server)
    certificates(tmp_path).check_server(server, "opc.tcp://line1")


def test_only_the_pinned_certificate_is_trusted(tmp_path: Path, server: bytes) -> None:
    pinned = tmp_path / "pinned.der"
    other = certificates(tmp_path / "other")
    other.make_own("urn:other")
    pinned.write_bytes(other.own.read_bytes())
    with pytest.raises(PermanentFault, match=r"pinned\.der"):
        certificates(tmp_path, pinned=pinned, trust_first=True).check_server(server, "opc.tcp://line1")
    pinned.write_bytes(server)
    certificates(tmp_path, pinned=pinned).check_server(server, "opc.tcp://line1")


def test_the_first_one_is_trusted_only_where_that_is_asked_for_and_none_is_known(
    tmp_path: Path, server: bytes
) -> None:
    certificates(tmp_path, trust_first=True).check_server(server, "opc.tcp://line1")
    certificates(tmp_path).check_server(server, "opc.tcp://line1")
    other = certificates(tmp_path / "other")
    other.make_own("urn:other")
    with pytest.raises(PermanentFault, match="not trusted"):
        certificates(tmp_path, trust_first=True).check_server(other.own.read_bytes(), "opc.tcp://line1")


def test_a_trusted_file_that_is_none_is_named(tmp_path: Path, server: bytes) -> None:
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / "line1.der").write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match="cannot be read"):
        certificates(tmp_path).check_server(server, "opc.tcp://line1")
