"""`lineshaft access keys | clients`: secrets of programs, made here and kept as hashes."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated

import typer

from lineshaft.app.access_store import AccessStore, ActorOption, ReasonOption, acting, print_rows
from lineshaft.app.terminal import ConfigOption, JsonOption, out, print_json
from lineshaft.core.clock import SystemClock
from lineshaft.core.credentials import Credential, CredentialKind
from lineshaft.gateway.identity import credential_told, make_secret, stored
from lineshaft.ledger.accounts import StoredCredentials, StoredSessions

__all__ = ["clients", "keys"]

keys = typer.Typer(help="API keys of accounts.", no_args_is_help=True)
clients = typer.Typer(
    help="Secrets of OAuth2 clients; an account's name is its client id.", no_args_is_help=True
)

AccountArgument = Annotated[str, typer.Argument(help="An account of the access file.")]
DaysOption = Annotated[
    float, typer.Option("--days", min=0, help="It holds for so long; 0: until it is revoked.")
]
TitleOption = Annotated[str, typer.Option("--title", help="What it is for.")]


@keys.command("create")
def create_key_command(
    account: AccountArgument,
    title: TitleOption = "",
    days: DaysOption = 0,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown once; the store keeps only its hash. For rotation an account has several."""
    plant = AccessStore(config)
    _create(plant, plant.account(account), CredentialKind.KEY, title, days, by, as_json)


@clients.command("create")
def create_client_command(
    account: AccountArgument,
    title: TitleOption = "",
    days: DaysOption = 0,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a client secret, shown once, for POST /oauth2/token with the account's name as client id."""
    plant = AccessStore(config)
    _create(plant, plant.account(account, "service"), CredentialKind.CLIENT, title, days, by, as_json)


@clients.command("rotate")
def rotate_client_command(
    account: AccountArgument,
    reason: ReasonOption,
    title: TitleOption = "",
    days: DaysOption = 0,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new client secret; of the earlier ones only the newest still holds, until the next time."""
    plant = AccessStore(config)
    name, actor = plant.account(account, "service"), acting(by)

    async def revoke(credentials: StoredCredentials, _: StoredSessions) -> list[str]:
        before = await credentials.of(name, CredentialKind.CLIENT)
        return await credentials.revoke([each.credential_id for each in before[1:]], by=actor, reason=reason)

    plant.ask(revoke)
    _create(plant, name, CredentialKind.CLIENT, title, days, by, as_json)


def _create(
    plant: AccessStore, account: str, kind: CredentialKind, title: str, days: float, by: str, as_json: bool
) -> None:
    now, actor = SystemClock().now(), acting(by)
    credential_id, text = make_secret(kind)
    credential = Credential(
        credential_id=credential_id,
        kind=kind,
        account=account,
        hash=stored(text),
        title=title,
        created_at=now,
        created_by=actor,
        expires_at=now + timedelta(days=days) if days else None,
    )
    plant.ask(lambda credentials, _: credentials.add(credential, by=actor))
    if as_json:
        print_json(credential_told(credential) | {"secret": text})
        return
    print(text)
    until = f" until {plant.say_at(credential.expires_at)}" if days else ""
    said = f"{kind.value} {credential_id} of {account} holds{until}; its text is shown this once"
    print(said, file=sys.stderr)


@keys.command("list")
def list_keys_command(
    account: Annotated[str, typer.Option(help="Of this account alone.")] = "",
    prefix: Annotated[str, typer.Option(help="How its id begins, such as lsk_9f.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keys, client secrets and passwords that there are and were; never their text."""
    plant = AccessStore(config)
    found = plant.ask(lambda credentials, _: credentials.listed(account=account, prefix=prefix))
    told = [credential_told(each) for each in found]
    if as_json:
        print_json(told)
        return
    times = ("created_at", "expires_at", "revoked_at", "last_used_at")
    for row, each in zip(told, found, strict=True):
        row.update({name: plant.say_at(getattr(each, name)) for name in times})
    print_rows(told, ("id", "kind", "account", "title", *times))


@keys.command("revoke")
def revoke_key_command(
    ids: Annotated[list[str], typer.Argument(help="Ids of keys, client secrets or passwords.")],
    reason: ReasonOption,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Nodes follow within five seconds. Exit code 1 when one of them is not there, or was revoked before."""
    plant = AccessStore(config)
    ids = [_id_of(each) for each in ids]
    revoked = plant.ask(lambda credentials, _: credentials.revoke(ids, by=acting(by), reason=reason))
    if as_json:
        print_json({"revoked": revoked, "unknown": [each for each in ids if each not in revoked]})
    else:
        for each in ids:
            out.print(f"{each} {'is revoked' if each in revoked else 'is none that holds'}", highlight=False)
    raise typer.Exit(0 if len(revoked) == len(set(ids)) else 1)


def _id_of(text: str) -> str:
    """A whole secret may be given, too: what is after its id is left out."""
    head, _, tail = text.rpartition("_")
    return head if len(tail) == 43 else text
