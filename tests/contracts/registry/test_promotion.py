"""From one environment to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft.contracts.registry import (
    Party,
    State,
    deprecate,
    digest_of,
    live_contracts,
    planned,
    promote,
    retire,
)
from lineshaft.core.errors import ConfigError
from tests.contracts.registry.files import (
    DESADV,
    MUST_HAVE_WEIGHT,
    SHIPMENT,
    SIGNED,
    WITH_CARRIER,
    add,
    consumers,
    read,
)

USES = "parties: {dock: {consumes: [{contract: partner.acme.desadv, major: 1, environments: [%s]}]}}\n"


def told(plant: Path, source: str, target: str) -> list[tuple[str, int, str, str]]:
    changes = planned(read(plant), source, target)
    return [(each.what, each.major, each.before, each.after) for each in changes]


def live(plant: Path, environment: str) -> list[tuple[str, str, str]]:
    return [(each.name, each.version, each.state) for each in live_contracts(read(plant), environment)]


def test_what_is_published_goes_through_the_environments(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    assert told(tmp_path, "", "dev") == [("new", 1, "", "1.0")]
    promote(read(tmp_path), "", "dev")
    assert told(tmp_path, "", "dev") == []
    promote(read(tmp_path), "dev", "prod")
    add(tmp_path, WITH_CARRIER)
    add(tmp_path, MUST_HAVE_WEIGHT, new_major=True)
    assert told(tmp_path, "dev", "prod") == []
    promote(read(tmp_path), "", "dev")
    assert told(tmp_path, "dev", "prod") == [("updated", 1, "1.0", "1.1"), ("new", 2, "", "2.0")]
    assert live(tmp_path, "prod") == [(DESADV, "1.0", "published")]
    assert live(tmp_path, "dev") == [(DESADV, "1.1", "published"), (DESADV, "2.0", "published")]


def test_the_state_of_a_major_is_promoted_too(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    promote(read(tmp_path), "", "dev")
    deprecate(read(tmp_path), DESADV, 1, "2027-06-30", SIGNED, own=False)
    (change,) = planned(read(tmp_path), "", "dev")
    assert (change.what, change.sunset) == ("deprecated", "2027-06-30")
    promote(read(tmp_path), "", "dev")
    (found,) = live_contracts(read(tmp_path), "dev")
    assert (found.state, found.sunset) == (State.DEPRECATED, "2027-06-30")
    retire(read(tmp_path), DESADV, 1, SIGNED, own=False)
    assert told(tmp_path, "", "dev") == [("retired", 1, "1.0", "")]
    promote(read(tmp_path), "", "dev")
    assert live(tmp_path, "dev") == []


def test_a_consumer_of_the_environment_keeps_its_major(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    promote(read(tmp_path), "", "test")
    promote(read(tmp_path), "", "prod")
    retire(read(tmp_path), DESADV, 1, SIGNED, own=False)
    consumers(tmp_path, USES % "prod")
    (change,) = planned(read(tmp_path), "", "prod")
    assert change.broken == ["dock"]
    with pytest.raises(ConfigError, match="prod stays as it is") as error:
        promote(read(tmp_path), "", "prod")
    assert error.value.findings == ["partner.acme.desadv v1: retired; breaks dock"]
    assert live(tmp_path, "prod")
    promote(read(tmp_path), "", "test")
    assert live(tmp_path, "test") == []


def test_so_does_one_that_registered_by_api(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    promote(read(tmp_path), "", "prod")
    retire(read(tmp_path), DESADV, 1, SIGNED, own=False)
    registered = [Party(party="portal", contract=DESADV, major=1)]
    with pytest.raises(ConfigError) as error:
        promote(read(tmp_path), "", "prod", registered=registered)
    assert error.value.findings == ["partner.acme.desadv v1: retired; breaks portal"]


def test_a_version_that_breaks_is_refused_also_when_it_is_an_older_one(tmp_path: Path) -> None:
    """Published one after the other under a mode that looks at the last only."""
    add(tmp_path, MUST_HAVE_WEIGHT)
    file = tmp_path / "registry.yaml"
    file.write_text(file.read_text().replace("owner: p", "compatibility: backward\n    owner: p"))
    promote(read(tmp_path), "", "old")
    add(tmp_path, SHIPMENT)
    promote(read(tmp_path), "", "prod")
    consumers(tmp_path, USES.replace("consumes", "produces") % "prod")
    (change,) = planned(read(tmp_path), "old", "prod")
    assert (change.what, change.before, change.after) == ("stepped_back", "1.1", "1.0")
    assert ([each.field for each in change.breaks], change.broken) == (["weight"], ["dock"])
    with pytest.raises(ConfigError) as error:
        promote(read(tmp_path), "old", "prod")
    assert "breaks dock" in error.value.findings[0]
    assert live(tmp_path, "prod") == [(DESADV, "1.1", "published")]


def test_a_single_contract_is_promoted(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    add(tmp_path, SHIPMENT, name="a.b")
    promote(read(tmp_path), "", "dev")
    add(tmp_path, WITH_CARRIER)
    add(tmp_path, WITH_CARRIER, name="a.b")
    promote(read(tmp_path), "", "dev", only=["a.b"])
    assert live(tmp_path, "dev") == [("a.b", "1.1", "published"), (DESADV, "1.0", "published")]
    with pytest.raises(ConfigError, match=r"no contract 'c\.d'"):
        promote(read(tmp_path), "", "dev", only=["c.d"])


def test_without_environments_the_newest_is_live(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    add(tmp_path, WITH_CARRIER)
    add(tmp_path, MUST_HAVE_WEIGHT, new_major=True, published=False)
    (found,) = live_contracts(read(tmp_path), "")
    assert (found.version, found.digest, found.document) == ("1.1", digest_of(WITH_CARRIER), WITH_CARRIER)


def test_an_environment_that_is_not_there(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    promote(read(tmp_path), "", "dev")
    with pytest.raises(ConfigError, match=r"prod\.yaml; environments: dev"):
        live_contracts(read(tmp_path), "prod")
    with pytest.raises(ConfigError, match=r"prod\.yaml"):
        promote(read(tmp_path), "prod", "dev")


def test_a_node_does_not_run_what_was_not_promoted(tmp_path: Path) -> None:
    add(tmp_path, SHIPMENT)
    promote(read(tmp_path), "", "dev")
    (tmp_path / DESADV / "1.0.json").write_text("{}")
    with pytest.raises(ConfigError, match="environment 'dev' cannot be run here") as error:
        live_contracts(read(tmp_path), "dev")
    assert "partner.acme.desadv/1: 1.0 is not the document of sha256:" in error.value.findings[0]
    (tmp_path / DESADV / "1.0.json").unlink()
    with pytest.raises(ConfigError) as error:
        live_contracts(read(tmp_path), "dev")
    assert "partner.acme.desadv/1: version 1.0 is not published here" in error.value.findings
