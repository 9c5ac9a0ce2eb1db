from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineshaft import __version__
from lineshaft.app.cli import app
from lineshaft.app.node import take_data_dir
from lineshaft.core.errors import ConfigError
from tests.app.readme_plant import SECRETS, write_readme_plant

PROGRAM = Path(sys.executable).with_name("lineshaft")
GOOD = "enterprise: northspring\nplant: leipzig\ntime_zone: Europe/Berlin\nconsole: {port: 0}\n"
BAD = "enterprise: northspring\nplnt: leipzig\ntime_zone: Europe/Berlin\nconsole: {port: none}\n"


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """In a folder of its own, without settings from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINESHAFT_CONFIG", raising=False)
    return CliRunner()


def lineshaft(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LINESHAFT_")}
    return subprocess.run(
        [PROGRAM, *words],
        cwd=folder,
        env=environ | {"LINESHAFT_CACHE": str(folder / "cache"), "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_check_accepts_good_settings(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "lineshaft.yaml").write_text(GOOD)
    result = cli.invoke(app, ["check"])
    assert (result.exit_code, result.stdout) == (
        0,
        "ok lineshaft.yaml: 0 systems, 0 tags, 0 rules, 0 processes\n",
    )


def test_check_says_everything_that_is_wrong(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(BAD)
    result = cli.invoke(app, ["check", "--config", "other.yaml"])
    assert result.exit_code == 1
    assert "other.yaml:2: plnt: is unknown; did you mean 'plant'?" in result.stdout
    assert "other.yaml:4: console.port: " in result.stdout
    assert result.stdout.endswith("3 error(s)\n")


def test_check_as_json_is_one_document(cli: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    good = cli.invoke(app, ["check", "--config", "good.yaml", "--json"])
    bad = cli.invoke(app, ["check", "--config", "bad.yaml", "--json"])
    assert (good.exit_code, json.loads(good.stdout)) == (0, {"ok": True, "findings": []})
    answer = json.loads(bad.stdout)
    assert (bad.exit_code, answer["ok"], len(answer["findings"])) == (1, False, 3)


def test_check_reads_the_files_that_the_settings_name(
    cli: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    settings = write_readme_plant(tmp_path)
    assert cli.invoke(app, ["check"]).exit_code == 0
    rules = settings.with_name("rules.yaml")
    rules.write_text(rules.read_text().replace("unit: BAR", "unit: BAS"))
    result = cli.invoke(app, ["check", "--json"])
    (finding,) = json.loads(result.stdout)["findings"]
    assert result.exit_code == 1
    assert "'BAS' is no known UNECE Rec 20 code; did you mean 'BAR'?" in finding


def test_the_environment_may_name_the_settings(
    cli: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "elsewhere.yaml"
    path.write_text(GOOD)
    monkeypatch.setenv("LINESHAFT_CONFIG", str(path))
    assert cli.invoke(app, ["check", "--json"]).exit_code == 0


def test_version(cli: CliRunner) -> None:
    assert cli.invoke(app, ["version"]).stdout == f"{__version__}\n"


def test_scenarios_can_be_listed(cli: CliRunner) -> None:
    listed = json.loads(cli.invoke(app, ["scenario", "list", "--json"]).stdout)
    assert [(row["id"], row["variants"][0]) for row in listed] == [("S2", "in-stock")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], "there is no settings file lineshaft.yaml"),
        (["trace", "4711"], "there is no settings file and no earlier scenario run"),
        (["scenario", "run", "S99"], "there is no scenario 'S99' (known: S2)"),
        (["scenario", "run", "S2", "--variant", "x"], "S2 has no variant 'x' (known: in-stock, "),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_an_error_that_people_can_mend_has_no_stack(tmp_path: Path, words: list[str], said: str) -> None:
    done = lineshaft(tmp_path, *words)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_trace_of_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "lineshaft.yaml").write_text(GOOD)
    (tmp_path / "data").mkdir()
    done = lineshaft(tmp_path, "trace", "4711")
    assert (done.returncode, done.stderr) == (1, "")
    assert "nothing is known of '4711'" in done.stdout


def test_a_second_product_on_a_data_folder_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "lineshaft.yaml").write_text(GOOD)
    lock = take_data_dir(tmp_path / "data")
    try:
        done = lineshaft(tmp_path, "run")
    finally:
        lock.release()
    assert done.returncode == 1
    assert f"another lineshaft (pid {os.getpid()}) runs on the data folder {tmp_path / 'data'}" in done.stderr
    assert "stop it, or give this one its own `data` folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "node.json").exists()


def test_a_data_folder_is_free_when_its_product_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from lineshaft.app.node import take_data_dir;"
        " lock = take_data_dir(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "data")], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match=rf"another lineshaft \(pid {other.pid}\)"):
            take_data_dir(tmp_path / "data")
        other.kill()
    take_data_dir(tmp_path / "data").release()


def test_doctor_names_what_does_not_answer(tmp_path: Path) -> None:
    write_readme_plant(tmp_path)
    (tmp_path / "lineshaft.yaml").write_text(
        GOOD
        + "systems:\n"
        + "  mes: {connector: rest, options: {url: 'http://127.0.0.1:9', mapping: mappings/mes.yaml}}\n"
    )
    done = lineshaft(tmp_path, "doctor", "--json")
    found = {row["what"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert not found["system mes"]["ok"]
    assert found["python"]["ok"]
    assert found["nats-server"]["ok"]
    assert found["store"]["ok"]
