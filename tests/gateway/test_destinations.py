"""No call leaves but to declared hosts, and to the address that was checked."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lineshaft.core.errors import ConfigError, PermanentFault, TransientFault
from lineshaft.gateway.destinations import Destinations, look_up

PUBLIC = "93.184.216.34"
HOSTS = ["hooks.example.com", "mes.plant.local:8443", "http://10.0.4.7:8080", "http://[::1]:9000"]


class Names:
    """A name server whose answers follow one another, the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://hooks.example.com/in?x=%20y", "hooks.example.com", 443, "/in?x=%20y"),
        ("https://HOOKS.example.com.:443", "hooks.example.com", 443, "/"),
        ("https://mes.plant.local:8443/a", "mes.plant.local", 8443, "/a"),
        ("http://10.0.4.7:8080/a", "10.0.4.7", 8080, "/a"),
        ("http://[::1]:9000/a", "::1", 9000, "/a"),
    ],
)
def test_declared(url: str, host: str, port: int, target: str) -> None:
    found = Destinations(HOSTS).check(url)
    assert (found.host, found.port, found.target) == (host, port, target)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",  # without TLS
        "https://hooks.example.com:8443/",
        "https://evil.example.com/",
        "https://hooks.example.com.evil.com/",
        "https://evil.com#@hooks.example.com/",
        "https://hooks.example.com@evil.com/",
        "https://user:secret@hooks.example.com/",
        "https://evil.com\\@hooks.example.com/",
        "https://hooks.example.com\n.evil.com/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com%2eevil.com/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com:/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hоoks.example.com/",  # a Cyrillic o
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "//hooks.example.com/",
        "https:///in",
        "https://mes.plant.local/",  # declared with another port only
        "http://10.0.4.7/",
        "http://0xA000407:8080/",
        "http://167773191:8080/",
        "http://10.1031:8080/",
        "http://012.0.4.7:8080/",
        "http://[::ffff:10.0.4.7]:8080/",
        "http://[fe80::1%25eth0]:9000/",
    ],
)
def test_refused_by_what_it_says(url: str) -> None:
    with pytest.raises(PermanentFault) as refused:
        Destinations(HOSTS).check(url)
    assert refused.value.code == "destination_refused"


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("https://evil.example.com/in", "evil.example.com"),
        ("https://hooks.example.com:8443/in", "hooks.example.com:8443"),
        ("http://127.0.0.1:9000/in", "http://127.0.0.1:9000"),
        ("http://[fd00::7]/in", "http://[fd00::7]:80"),
    ],
)
def test_the_refusal_says_what_would_declare_it(url: str, entry: str) -> None:
    with pytest.raises(PermanentFault, match="not declared") as refused:
        Destinations(HOSTS).check(url)
    assert f'add "{entry}" to outgoing.hosts' in str(refused.value)
    assert Destinations([entry]).check(url).target == "/in"


@pytest.mark.parametrize(
    "entry", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "http://hooks", "a b", "h/x"]
)
def test_what_cannot_be_declared(entry: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        Destinations(["hooks.example.com", entry])
    assert f"outgoing.hosts[1] {entry!r}" in str(wrong.value)


def test_none_declared_means_none_allowed() -> None:
    with pytest.raises(PermanentFault, match="not declared"):
        Destinations([]).check("https://hooks.example.com/")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
        "no address",
    ],
)
async def test_a_declared_name_that_points_inside(address: str) -> None:
    for answer in ([address], [PUBLIC, address]):
        hosts = Destinations(HOSTS, Names(answer))
        with pytest.raises(PermanentFault) as refused:
            await hosts.address(hosts.check("https://hooks.example.com/"))
        assert refused.value.code == "destination_refused"
        assert address in refused.value.message


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254"])
async def test_metadata_is_out_of_reach_even_of_an_exact_declaration(address: str) -> None:
    hosts = Destinations(HOSTS, Names([address]))
    with pytest.raises(PermanentFault):
        await hosts.address(hosts.check("https://mes.plant.local:8443/"))


async def test_an_exact_declaration_may_be_a_system_of_ours() -> None:
    hosts = Destinations(HOSTS, Names(["10.0.4.9"]))
    assert await hosts.address(hosts.check("https://mes.plant.local:8443/")) == "10.0.4.9"


async def test_a_name_that_is_bound_anew_between_check_and_call() -> None:
    """The name server answers inside only once it was trusted: each answer is checked, and pinned."""
    names = Names([PUBLIC], ["127.0.0.1"])
    hosts = Destinations(HOSTS, names)
    destination = hosts.check("https://hooks.example.com/")
    assert await hosts.address(destination) == PUBLIC
    assert len(names.asked) == 1
    with pytest.raises(PermanentFault, match="not public"):
        await hosts.address(destination)


async def test_names_without_an_address_may_have_one_later() -> None:
    async def nothing(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    for resolver in (nothing, Names([])):
        hosts = Destinations(HOSTS, resolver)
        with pytest.raises(TransientFault) as away:
            await hosts.address(hosts.check("https://hooks.example.com/"))
        assert away.value.code == "unresolved"


async def test_the_machines_own_resolver() -> None:
    assert "127.0.0.1" in await look_up("127.0.0.1", 443)
