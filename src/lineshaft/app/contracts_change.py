"""`lineshaft contracts register | publish | deprecate | retire`: change the files, to be reviewed in Git."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineshaft.app.contracts_folder import FolderOption, contracts_at, contracts_folder, signed_by
from lineshaft.app.terminal import ConfigOption, JsonOption, out, print_json
from lineshaft.contracts.registry import (
    Compatibility,
    Kind,
    declared_contracts,
    deprecate,
    draft,
    publish,
    publish_own,
    read_document,
    retire,
)
from lineshaft.core.errors import ConfigError

__all__ = ["deprecate_command", "publish_command", "register_command", "retire_command"]

NameArgument = Annotated[str, typer.Argument(help="Such as partner.acme.desadv.")]
MajorOption = Annotated[int, typer.Option("--major", min=1, help="Which major of it.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept in registry.yaml.")]
ByOption = Annotated[str, typer.Option("--by", help="Who decides this; default: your login.")]
OwnOption = Annotated[bool, typer.Option("--own", help="Of the product, in its source.")]


def register_command(
    file: Annotated[Path, typer.Argument(help="JSON Schema; of an operation {request: …, reply: …}.")],
    name: Annotated[str, typer.Option("--name", help="Such as partner.acme.desadv.")],
    owner: Annotated[
        str, typer.Option("--owner", help="Who answers for it; needed for a new contract.")
    ] = "",
    kind: Annotated[Kind, typer.Option("--kind", help="Of a new contract.")] = Kind.EXTERNAL,
    compatibility: Annotated[
        Compatibility, typer.Option("--compatibility", help="Of a new contract.")
    ] = Compatibility.FULL_TRANSITIVE,
    new_major: Annotated[bool, typer.Option("--new-major", help="It may break the versions before.")] = False,
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a schema and write it as the draft of the next version."""
    where = contracts_folder(config, folder)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    version = draft(
        contracts_at(where),
        name,
        read_document(data, str(file)),
        kind=kind,
        owner=owner,
        compatibility=compatibility,
        new_major=new_major,
    )
    if as_json:
        print_json({"name": name, "version": str(version), "file": str(where / name / f"{version}.json")})
    else:
        out.print(f"{where / name / f'{version}.json'} is the draft of {name} {version}", soft_wrap=True)


def publish_command(
    names: Annotated[list[str] | None, typer.Argument(help="Contracts; default: all drafts.")] = None,
    own: Annotated[
        bool, typer.Option("--own", help="What the product's code declares, in its source.")
    ] = False,
    new_major: Annotated[
        list[str] | None,
        typer.Option(help="Operation of the product that may break its callers; repeatable."),
    ] = None,
    reason: ReasonOption = "",
    by: ByOption = "",
    folder: FolderOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check drafts and list them as published: they cannot be changed any more."""
    found = contracts_at(contracts_folder(config, folder))
    if own:
        signed = signed_by(by, reason)
        done = publish_own(found, declared_contracts(), signed, new_majors=new_major or ())
    else:
        done = publish(found, names or (), signed_by(by, reason))
    if as_json:
        print_json([{"name": name, "version": str(version)} for name, version in done])
        return
    for name, version in done:
        out.print(f"{name} {version} is published", highlight=False, soft_wrap=True)
    if not done:
        out.print("there is nothing to publish")


def deprecate_command(
    name: NameArgument,
    major: MajorOption,
    sunset: Annotated[str, typer.Option("--sunset", help="Date from which it may be gone: 2027-06-30.")],
    reason: ReasonOption,
    own: OwnOption = False,
    by: ByOption = "",
    folder: FolderOption = None,
    config: ConfigOption = None,
) -> None:
    """Tell consumers to leave a major by a date."""
    found = contracts_at(contracts_folder(config, folder))
    deprecate(found, name, major, sunset, signed_by(by, reason), own=own)
    out.print(f"{name} v{major} is deprecated until {sunset}", highlight=False)


def retire_command(
    name: NameArgument,
    major: MajorOption,
    reason: ReasonOption,
    own: OwnOption = False,
    by: ByOption = "",
    folder: FolderOption = None,
    config: ConfigOption = None,
) -> None:
    """End a major that no consumer is registered for any more."""
    found = contracts_at(contracts_folder(config, folder))
    retire(found, name, major, signed_by(by, reason), own=own)
    out.print(f"{name} v{major} is retired", highlight=False)
