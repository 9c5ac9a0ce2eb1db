"""`lineshaft contracts export`: documents for other tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lineshaft import __version__
from lineshaft.app.contracts_cli import contracts
from lineshaft.contracts.catalogue import EVENTS
from lineshaft.contracts.entries import declared_entries
from lineshaft.core.errors import ConfigError


def export(*arguments: str) -> Result:
    return CliRunner().invoke(contracts, ["export", *arguments])


def test_asyncapi_goes_to_standard_output_or_a_file(tmp_path: Path) -> None:
    said = json.loads(export("asyncapi", "--host", "nats.example:4222").stdout)
    assert (said["asyncapi"], said["info"]["version"]) == ("3.0.0", __version__)
    assert set(said["channels"]) == set(EVENTS)
    assert said["servers"]["backbone"]["host"] == "nats.example:4222"
    file = tmp_path / "mes.json"
    assert export("asyncapi", "--kind", "mes", "-o", str(file)).exit_code == 0
    operations = json.loads(file.read_text())["operations"]
    assert operations
    assert all(name.startswith("mes.") for name in operations)


def test_a_kind_that_has_no_events_is_told_with_those_that_have() -> None:
    done = export("asyncapi", "--kind", "mess")
    assert isinstance(done.exception, ConfigError)
    assert "no kind of system 'mess' has events (known: analytics, aps" in str(done.exception)


def test_markdown_in_one_document_or_a_page_each(tmp_path: Path) -> None:
    consumers = "parties: {board: {consumes: [{contract: production.order.released, major: 1}]}}\n"
    folder = tmp_path / "contracts"
    folder.mkdir()
    (folder / "parties.yaml").write_text(consumers)
    one = export("markdown", "--folder", str(folder)).stdout
    assert one.startswith("# Contracts\n")
    pages = tmp_path / "pages"
    pages.mkdir()
    assert export("markdown", "--folder", str(folder), "-o", str(pages)).exit_code == 0
    assert len(list(pages.iterdir())) == len(declared_entries())
    assert (
        (pages / "production.order.released.v1.md").read_text().startswith("# production.order.released.v1\n")
    )


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    done = export("asyncapi", "-o", str(tmp_path / "no" / "file.json"))
    assert isinstance(done.exception, ConfigError)
    assert "no/file.json" in str(done.exception)


@pytest.mark.parametrize("format", ["openrpc", ""])
def test_an_unknown_format_is_refused(format: str) -> None:
    assert export(format).exit_code == 2
