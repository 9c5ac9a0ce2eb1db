from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lineshaft.app.plant_data import read_plant
from lineshaft.app.service_levels import levels_of
from lineshaft.app.settings import Settings, load_settings
from lineshaft.calls import CallPolicy
from lineshaft.connectors.rest import RestSettings
from lineshaft.connectors.tryton import TrytonSettings
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.core.clock import SystemClock
from lineshaft.core.errors import ConfigError
from lineshaft.core.yamlfile import YamlFile
from lineshaft.processes.corrective_maintenance import corrective_maintenance
from lineshaft.processes.counts import accept_count
from tests.app.readme_plant import SECRETS, write_readme_plant

LEAST = "enterprise: northspring\nplant: leipzig\ntime_zone: Europe/Berlin\n"


def written(folder: Path, text: str, name: str = "lineshaft.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def findings_of(path: Path) -> list[str]:
    """Without the folder, so that each begins `file:line: `."""
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    return [finding.removeprefix(f"{path.parent}/") for finding in caught.value.findings]


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def test_three_names_are_enough(tmp_path: Path) -> None:
    settings, _ = load_settings(written(tmp_path, LEAST))
    assert (settings.plant, settings.data, settings.console.port) == ("leipzig", "data", 8600)
    assert settings.zone.key == "Europe/Berlin"
    assert settings.telemetry is None


def test_every_error_is_told_at_once_with_its_line_and_the_nearest_name(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "enterprise: northspring\n"
        "plant: Leipzig Süd\n"
        "time_zone: Europe/Berlin\n"
        "consol: {port: 8600}\n"
        "backbone:\n"
        "  mqtt_prt: 1883\n"
        "  port: 70000\n"
        "systems:\n"
        "  erp:\n"
        "    connector: tryton\n"
        "    policy: {deadline: 5}\n"
        "telemetry:\n"
        "  tags: tags.csv\n",
    )
    found = sorted(findings_of(path), key=lambda finding: int(finding.split(":")[1]))
    assert [finding.split(": ")[0] for finding in found] == [
        f"lineshaft.yaml:{line}" for line in (2, 4, 6, 7, 11, 12)
    ]
    assert found[1].endswith("consol: is unknown; did you mean 'console'?")
    assert found[2].endswith("backbone.mqtt_prt: is unknown; did you mean 'mqtt_port'?")
    assert found[4].endswith("systems.erp.policy.deadline: is unknown; did you mean 'deadline_s'?")
    assert "70000" in found[3]
    assert "telemetry: " in found[5]


def test_a_name_like_no_other_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    (finding,) = findings_of(written(tmp_path, LEAST + "console: {zzz: 1}\n"))
    assert finding == "lineshaft.yaml:4: console.zzz: is unknown; known: host, port, tls"


def test_a_policy_that_cannot_work_is_told_with_its_lines(tmp_path: Path) -> None:
    text = (
        LEAST + "systems:\n  erp:\n    connector: tryton\n    policy:\n"
        "      waiting: 0\n      rate_per_s: -1\n      maintenance:\n"
        '        - {days: [sat], from: "22:00", to: "25:00"}\n'
        '        - {days: [someday], from: "22:00", till: "23:00"}\n'
    )
    found = findings_of(written(tmp_path, text))
    assert {finding.split(": ")[1] for finding in found} == {
        "systems.erp.policy.waiting",
        "systems.erp.policy.rate_per_s",
        "systems.erp.policy.maintenance.0.to",
        "systems.erp.policy.maintenance.1",
        "systems.erp.policy.maintenance.1.days.0",
        "systems.erp.policy.maintenance.1.till",
    }
    lines = [int(finding.split(":")[1]) for finding in found]
    assert set(lines) == {8, 9, 11, 12}


def test_what_a_type_cannot_say_is_checked_as_well(tmp_path: Path) -> None:
    text = (
        LEAST.replace("Europe/Berlin", "Europe/Leipzig")
        + "processes:\n  - corrective_maintenance\n  - other\n"
    )
    found = findings_of(written(tmp_path, text))
    assert found[0].startswith("lineshaft.yaml:3: 'Europe/Leipzig' is no IANA time zone")
    assert found[1] == (
        "lineshaft.yaml:6: 'other' is no process; known: corrective_maintenance, classify_downtime,"
        " accept_count (one of your own is named as package.module:name)"
    )


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("plant: a\nplant: b\n", "lineshaft.yaml:2: plant is given twice"),
        ("plant: [a\n", "lineshaft.yaml:2: "),
        ("plant: ${env:NO_SUCH_VARIABLE_HERE}\n", "lineshaft.yaml:1: the environment has no variable"),
        ("plant: ${file:no-such-file}\n", "lineshaft.yaml:1: no-such-file cannot be read"),
    ],
)
def test_a_file_that_cannot_be_taken_names_the_line(tmp_path: Path, text: str, finding: str) -> None:
    assert findings_of(written(tmp_path, text))[0].startswith(finding)


def test_a_collector_is_named_without_credentials(tmp_path: Path) -> None:
    """Its URL is in the log."""
    text = "enterprise: a\nplant: b\ntime_zone: UTC\notlp: https://me:secret@collector:4318\n"
    assert findings_of(written(tmp_path, text))[0].startswith("lineshaft.yaml:4: ")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "lineshaft.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"lineshaft\.yaml cannot be read"):
        load_settings(path)


def test_secrets_come_from_the_environment_and_from_files_beside_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_PASSWORD", "s3")
    (tmp_path / "mqtt").write_text("m4\n")
    path = written(
        tmp_path,
        LEAST
        + "store: {url: 'postgresql://u:${env:STORE_PASSWORD}@db/l'}\n"
        + "backbone: {mqtt_user: d, mqtt_password: '${file:mqtt}'}\n",
    )
    settings, _ = load_settings(path)
    assert settings.store.url == "postgresql://u:s3@db/l"
    assert settings.backbone.mqtt_password == "m4"


def test_a_place_that_is_not_in_the_file_is_answered_with_what_is_around_it(tmp_path: Path) -> None:
    path = written(tmp_path, "a:\n  b:\n    c: 1\n")
    file = YamlFile(path)
    assert file.line(["a", "b", "c"]) == 3
    assert file.line(["a", "x"]) is None
    assert file.where(["a", "b", "x", "y"]) == f"{path}:2"


@pytest.mark.usefixtures("secrets")
def test_the_plant_of_the_readme_can_be_run(tmp_path: Path) -> None:
    plant = read_plant(write_readme_plant(tmp_path), SystemClock())
    assert plant.telemetry is not None
    assert [tag.tag for tag in plant.telemetry.tags] == [
        "filler-01.pressure",
        "filler-01.temperature",
        "filler-01.state",
        "filler-01.count",
        "cnc-01.power",
        "press-03.force",
    ]
    assert [source.kind for source in plant.sources] == ["opcua", "modbus", "mqtt"]
    users = plant.mqtt_users() or []
    assert [user.username for user in users] == ["filler-01", "edge-07", "devices"]
    (limit,) = plant.telemetry.rules.limits("filler-01.pressure")
    assert (limit.limit, limit.unit) == (4.4, "BAR")
    systems = ["erp", "cmms", "inventory", "mes", "planning", "calendar", "qms"]
    assert [system.name for system in plant.systems] == systems
    masters = {master.entity: master.systems for master in plant.authority.matrix() if not master.field}
    assert masters["nonconformance"] == ("qms",)
    assert masters["job_order"] == ("mes",)
    processes = ["corrective_maintenance", "classify_downtime", "accept_count"]
    assert [process.name for process in plant.processes] == processes


def test_dates_and_times_of_day_are_text_as_they_stand(tmp_path: Path) -> None:
    path = written(
        tmp_path, "a: [2026-12-25, 2026-02-30, 2026-12-25 06:00:00, 14:00, 06:00, 1:30.5, 14, 0.5]\n"
    )
    read = YamlFile(path).data["a"]
    assert read == ["2026-12-25", "2026-02-30", "2026-12-25 06:00:00", "14:00", "06:00", "1:30.5", 14, 0.5]


@pytest.mark.usefixtures("secrets")
def test_the_readme_shows_every_section_and_every_policy(tmp_path: Path) -> None:
    data = YamlFile(write_readme_plant(tmp_path)).data
    assert set(data) == set(Settings.__struct_fields__)
    for name in ("store", "backbone", "console", "telemetry", "retention"):
        section = next(field.type for field in msgspec.structs.fields(Settings) if field.name == name)
        shape = section if isinstance(section, type) else section.__args__[0]
        assert set(data[name]) == set(shape.__struct_fields__), name
    erp = data["systems"]["erp"]
    assert set(erp["policy"]) == set(CallPolicy.__struct_fields__)
    assert set(erp["options"]) == set(TrytonSettings.__struct_fields__)
    assert set(data["systems"]["cmms"]["options"]) <= set(RestSettings.__struct_fields__)


def test_findings_of_all_files_come_together(tmp_path: Path) -> None:
    written(tmp_path, "tag,topic\nx,y\n", "tags.csv")
    path = written(
        tmp_path,
        LEAST
        + "telemetry: {tags: tags.csv, rules: rules.yaml}\n"
        + "systems:\n"
        + "  erp: {connector: trytn, options: {}}\n"
        + "  mes: {connector: rest}\n",
    )
    with pytest.raises(ConfigError) as caught:
        read_plant(path, SystemClock())
    told = "\n".join(caught.value.findings)
    assert f"{tmp_path}/tags.csv:1: column 'metric' is missing" in told
    assert f"{path}:6: 'trytn' is no connector; known: calendar, events, rest, tryton" in told
    assert f"{path}:7: connector rest needs options" in told


def test_a_process_needs_systems_that_serve_it(tmp_path: Path) -> None:
    path = written(tmp_path, LEAST + "processes: [corrective_maintenance]\n")
    with pytest.raises(ConfigError) as caught:
        read_plant(path, SystemClock())
    wanted = f"{path}:4: corrective_maintenance needs maintenance.create_request, which no system serves"
    assert wanted in caught.value.findings


def test_service_levels_are_durations_of_processes_that_are_here(tmp_path: Path) -> None:
    path = written(tmp_path, LEAST + "service_levels:\n  corrective_maintenence: 4h\n")
    with pytest.raises(ConfigError) as caught:
        read_plant(path, SystemClock())
    assert caught.value.findings == [f"{path}:5: 'corrective_maintenence' is no process here; known: none"]
    with pytest.raises(ConfigError) as caught:
        read_plant(written(tmp_path, LEAST + "service_levels: {accept_count: 4 hours}\n"), SystemClock())
    assert "service_levels.accept_count" in "\n".join(caught.value.findings)


def test_the_settings_say_how_long_a_process_may_take_and_the_contracts_the_rest() -> None:
    text = "enterprise: n\nplant: n\ntime_zone: UTC\nservice_levels: {corrective_maintenance: 1.5h}\n"
    settings = msgspec.yaml.decode(text, type=Settings)
    levels = levels_of(settings, [corrective_maintenance, accept_count])
    assert levels.process_s("corrective_maintenance") == levels.ends["corrective_maintenance"] == 5400
    assert levels.process_s("accept_count") == levels.ends["accept_count"] == 720
    assert (
        "corrective_maintenance"
        not in levels_of(msgspec.structs.replace(settings, service_levels={}), [corrective_maintenance]).ends
    )  # it waits for people
    assert levels.call_s("orders.post_confirmation") == EVENTS["production.confirmation.posted.v1"].sla_s
    assert levels.call_s("transport.unblock") == 60
    assert levels.domain("call", "goods.transfer") == "inventory"
    assert levels.domain("call", "asset_register.synchronise_asset") == "maintenance"
    assert levels.domain("process", "accept_count") == "production"
    assert levels.domain("event", "acme.thing.happened.v1") == "other"
