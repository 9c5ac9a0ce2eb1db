"""`lineshaft access`: who may do what here, and by what it is proved."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lineshaft.app.access import signing_keys_file
from lineshaft.app.access_keys_cli import clients, keys
from lineshaft.app.access_routes import permission_of
from lineshaft.app.access_store import AccessStore, ActorOption, ReasonOption, acting, print_rows
from lineshaft.app.described_routes import described_routes
from lineshaft.app.plant_data import read_plant
from lineshaft.app.terminal import ConfigOption, JsonOption, known_settings, out, print_json
from lineshaft.core.access import ALL, Caller, grants
from lineshaft.core.clock import SystemClock
from lineshaft.core.credentials import Credential, CredentialKind
from lineshaft.core.errors import ConfigError
from lineshaft.gateway.identity import (
    Directory,
    SigningKeys,
    account_told,
    credential_told,
    hash_password,
    key_holds,
    key_id,
    session_told,
)
from lineshaft.gateway.route import PUBLIC
from lineshaft.ledger.accounts import StoredCredentials, StoredSessions

__all__ = ["access"]

access = typer.Typer(help="Who may do what here, and by what it is proved.", no_args_is_help=True)
password = typer.Typer(help="Passwords of people, for the console.", no_args_is_help=True)
sessions = typer.Typer(help="Who is logged in to the console.", no_args_is_help=True)
access.add_typer(keys, name="keys")
access.add_typer(clients, name="clients")
access.add_typer(password, name="password")
access.add_typer(sessions, name="sessions")

PersonArgument = Annotated[str, typer.Argument(help="An account of the access file that is a person.")]


@access.command("accounts")
def accounts_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """The accounts of the access file, with their roles and plants."""
    plant = AccessStore(config)
    told = [account_told(plant.access, name) for name in plant.access.accounts]
    if as_json:
        print_json(told)
        return
    print_rows(told, ("account", "title", "kind", "roles", "groups", "plants", "system"))


@access.command("whoami")
def whoami_command(
    key: Annotated[
        str, typer.Option(envvar="LINESHAFT_KEY", help="An API key; better in $LINESHAFT_KEY than here.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whose key it is, and what it may. Exit code 1 when it does not hold."""
    plant = AccessStore(config)
    found = plant.ask(lambda credentials, _: credentials.find(key_id(key)))
    caller = None
    if found is not None and key_holds(found, key, SystemClock().now()):
        caller = Directory(plant.access).caller("key", found.account, found.credential_id)
    if caller is None:
        raise ConfigError(
            "the key is not valid here, or not any more", hint="see `lineshaft access keys list`"
        )
    told = _told(caller)
    if as_json:
        print_json(told)
        return
    for name, said in told.items():
        out.print(f"{name:<12} {', '.join(said) if isinstance(said, list) else said}", highlight=False)


@access.command("check")
def check_command(
    account: Annotated[str, typer.Option("--as", help="An account of the access file.")],
    permission: Annotated[str, typer.Option(help="Such as publish:production.order_completed.")] = "",
    route: Annotated[str, typer.Option(help="Or a request, such as 'POST /api/v1/events'.")] = "",
    plant: Annotated[str, typer.Option(help="For this plant; default: the node's.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whether an account may do something, and which role and plants say so. Exit code 0 or 1.

    What a route asks of the body, such as the types of events, is a permission of its own.
    """
    store = AccessStore(config)
    if bool(permission) == bool(route):
        raise ConfigError("check one thing", hint="--permission, or --route")
    any_plant = False
    if route:
        routes = described_routes(read_plant(known_settings(config), SystemClock()))
        permission, any_plant = permission_of(route, routes)
    entry = store.access.accounts[store.account(account)]
    plants = account_told(store.access, account)["plants"] or []
    caller = Caller(name=account, plants=frozenset(plants))
    here = store.settings.plant
    asked_plant = plant or (caller.plant_meant(here) if any_plant else here)
    by = [
        f"{role}: {pattern}"
        for role in entry.roles
        for pattern in store.access.role(role)
        if permission == PUBLIC or grants(frozenset({pattern}), permission)
    ]
    sees_plant = caller.sees(asked_plant)
    decision = {
        "allowed": bool(by) and sees_plant,
        "account": account,
        "permission": permission,
        "granted_by": by,
        "plant": asked_plant,
        "sees_plant": sees_plant,
    }
    if as_json:
        print_json(decision)
    else:
        roles = ", ".join(entry.roles) or "no role"
        out.print(f"{permission}: {'; '.join(by) if by else f'none of {roles} allows it'}", highlight=False)
        seen = "every plant" if ALL in plants else ", ".join(plants) or "no plant"
        out.print(f"plant {asked_plant}: {account} acts for {seen}", highlight=False)
        out.print("[green]allowed[/]" if decision["allowed"] else "[bold red]refused[/]")
    raise typer.Exit(0 if decision["allowed"] else 1)


def _told(caller: Caller) -> dict[str, str | list[str]]:
    return {
        "account": caller.account,
        "key": caller.credential,
        "roles": sorted(caller.roles),
        "permissions": sorted(caller.permissions),
        "plants": sorted(caller.plants),
        "system": caller.system,
    }


@access.command("rotate-signing-key")
def rotate_signing_key_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Sign tokens with a new key from now on; what the key before has signed still holds."""
    plant = AccessStore(config)
    signing = SigningKeys(signing_keys_file(plant.settings, plant.path), SystemClock())
    signing.rotate()
    kid = signing.current()[0]
    if as_json:
        print_json({"kid": kid})
    else:
        out.print(f"tokens are signed with key {kid}", highlight=False)


@password.command("set")
def set_password_command(
    account: PersonArgument,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a person's password, asked for twice, or one line on standard input. Open sessions stay."""
    plant = AccessStore(config)
    name, actor = plant.account(account, "person"), acting(by)
    if sys.stdin.isatty():
        given: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    credential = Credential(
        credential_id=f"password:{name}",
        kind=CredentialKind.PASSWORD,
        account=name,
        hash=hash_password(given),
        created_at=SystemClock().now(),
        created_by=actor,
    )
    plant.ask(lambda credentials, _: credentials.add(credential, by=actor))
    if as_json:
        print_json(credential_told(credential))
    else:
        out.print(f"{name} has a new password", highlight=False)


@sessions.command("list")
def list_sessions_command(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Sessions that are open, the newest first."""
    plant = AccessStore(config)
    found = plant.ask(lambda _, sessions: sessions.open())
    told = [session_told(each) for each in found]
    if as_json:
        print_json(told)
        return
    times = ("created_at", "seen_at", "ends_at")
    for row, each in zip(told, found, strict=True):
        row.update({name: plant.say_at(getattr(each, name)) for name in times}, id=each.session_id[:12])
    print_rows(told, ("id", "name", "address", *times))


@sessions.command("end")
def end_session_command(
    session: Annotated[str, typer.Argument(help="Its id, or how it begins.")],
    reason: ReasonOption,
    by: ActorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Log somebody out; open pages stop within five seconds."""
    plant = AccessStore(config)

    async def end(_: StoredCredentials, sessions: StoredSessions) -> str:
        found = [each for each in await sessions.open() if each.session_id.startswith(session)]
        if len(found) != 1:
            said = "several sessions begin" if found else "no open session begins"
            raise ConfigError(f"{said} with {session!r}", hint="see `lineshaft access sessions list`")
        await sessions.end(found[0].session_id, by=acting(by), reason=reason)
        return found[0].session_id

    ended = plant.ask(end)
    if as_json:
        print_json({"ended": ended})
    else:
        out.print(f"session {ended[:12]} is ended", highlight=False)
