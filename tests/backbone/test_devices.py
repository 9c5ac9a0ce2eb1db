from __future__ import annotations

from pathlib import Path
from time import thread_time

import pytest

from lineshaft.backbone import read_devices
from lineshaft.core.errors import ConfigError

_HASH = "$2a$11$" + "a" * 53


def written(folder: Path, text: str) -> Path:
    path = folder / "devices.yaml"
    path.write_text(text)
    return path


def test_a_device_may_do_what_its_entry_says_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    path = written(
        tmp_path,
        """
devices:
  - {id: filler-01, password: "${file:secret}", publish: [plant/l1/filler-01/#]}
  - {id: edge-07, password_hash: "HASH", sparkplug: {group: G, edge_node: E7, devices: [D1]}}
  - {id: panel, password: x, publish: [plant/panel], subscribe: ["plant/+/status"]}
""".replace("HASH", _HASH),
    )
    filler, edge, panel = (device.user for device in read_devices(path))
    assert (filler.username, filler.password) == ("filler-01", "s3cret")
    assert filler.publish == filler.subscribe == ("plant/l1/filler-01/#",)
    assert edge.password == _HASH
    assert edge.publish == (
        "spBv1.0/G/NBIRTH/E7",
        "spBv1.0/G/NDATA/E7",
        "spBv1.0/G/NDEATH/E7",
        "spBv1.0/G/DBIRTH/E7/D1",
        "spBv1.0/G/DDATA/E7/D1",
        "spBv1.0/G/DDEATH/E7/D1",
    )
    assert edge.subscribe == ("spBv1.0/G/NCMD/E7/#", "spBv1.0/G/DCMD/E7/#", "spBv1.0/STATE/#")
    assert panel.subscribe == ("plant/+/status",)


@pytest.mark.parametrize(
    ("entry", "line", "said"),
    [
        ("{id: b, publish: [plant/b]}", 3, "needs one of password, password_hash, certificate; it has none"),
        (
            "{id: b, password: x, certificate: CN=b, publish: [plant/b]}",
            3,
            "it has ['password', 'certificate']",
        ),
        ("{id: b, certificate: CN=b, publish: [plant/b]}", 3, "the listener asks devices for a password"),
        ("{id: b, password_hash: x, publish: [plant/b]}", 3, "no bcrypt hash"),
        (f"{{id: b, password: '{_HASH}', publish: [plant/b]}}", 3, "give it as password_hash"),
        ("{id: b, password: x}", 3, "may do nothing"),
        ("{id: b, password: x, publish: ['#']}", 3, "backbone's own traffic"),
        ("{id: b, password: x, publish: [ls/x]}", 3, "backbone's own traffic"),
        ("{id: b, password: x, publish: [a/#/b]}", 3, "not valid at level 2"),
        ("{id: b, password: x, publish: [b], subscribe: ['$SYS/#']}", 3, "backbone's own traffic"),
        ("{id: a, password: x, publish: [b]}", 3, "'a' is declared twice"),
        ("{id: b, password: x, publish: [b], topic: c}", 3, "topic"),
        ("{id: a b, password: x, publish: [b]}", 3, "a b"),
        ("{id: b, password: x, sparkplug: {group: G/x, edge_node: E}}", 3, "G/x"),
    ],
)
def test_every_wrong_entry_is_told_with_its_line(tmp_path: Path, entry: str, line: int, said: str) -> None:
    first = "  - {id: a, password: x, publish: [plant/a/#]}"
    with pytest.raises(ConfigError) as caught:
        read_devices(written(tmp_path, f"devices:\n{first}\n  - {entry}\n"))
    assert any(f"devices.yaml:{line}: " in found and said in found for found in caught.value.findings), caught


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("plant/a/#", "plant/a/b", True),
        ("plant/a/b", "plant/a/#", True),
        ("plant/a/#", "plant/a", True),
        ("plant/a", "plant/a/#", True),
        ("plant/+/t", "plant/a/+", True),
        ("plant/+/t", "plant/#", True),
        ("plant/a/+", "plant/a", False),
        ("plant/a", "plant/ab", False),
        ("plant/a/#", "plant/b/#", False),
        ("plant/+/t", "plant/a/u", False),
    ],
)
def test_a_device_cannot_publish_as_another(tmp_path: Path, one: str, other: str, overlap: bool) -> None:
    entries = (
        f"devices:\n  - {{id: a, password: x, publish: ['{one}']}}\n"
        f"  - {{id: b, password: x, publish: ['{other}'] GATEWAY}}\n"
    )
    path = written(tmp_path, entries.replace(" GATEWAY", ""))
    if overlap:
        with pytest.raises(ConfigError, match="b may publish as a"):
            read_devices(path)
    else:
        assert len(read_devices(path)) == 2
    assert len(read_devices(written(tmp_path, entries.replace(" GATEWAY", ", gateway: true")))) == 2


def test_sparkplug_nodes_of_one_name_overlap(tmp_path: Path) -> None:
    node = "sparkplug: {group: G, edge_node: E, devices: [%s]}"
    entries = "".join(f"  - {{id: {name}, password: x, {node % name}}}\n" for name in "ab")
    with pytest.raises(ConfigError, match=r"'spBv1\.0/G/NBIRTH/E' b may publish as a"):
        read_devices(written(tmp_path, f"devices:\n{entries}"))


def test_certificates_are_asked_of_all_or_none(tmp_path: Path) -> None:
    path = written(tmp_path, "devices:\n  - {id: a, certificate: 'CN=a', publish: [plant/a]}\n")
    (device,) = read_devices(path, by_certificate=True)
    assert (device.user.username, device.user.password) == ("CN=a", "")
    path = written(tmp_path, "devices:\n  - {id: a, password: x, publish: [plant/a]}\n")
    with pytest.raises(ConfigError, match="asks devices for a certificate"):
        read_devices(path, by_certificate=True)


def test_a_thousand_devices_are_read_in_no_time(tmp_path: Path) -> None:
    """A comparison of each with each would take a hundred times longer than the file."""
    entries = "".join(f"  - {{id: d{n}, password: x, publish: [plant/d{n}/#]}}\n" for n in range(1000))
    path = written(tmp_path, f"devices:\n{entries}")
    started = thread_time()
    assert len(read_devices(path)) == 1000
    assert thread_time() - started < 15
