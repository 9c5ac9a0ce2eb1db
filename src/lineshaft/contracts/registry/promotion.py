"""Taking contracts from one environment to the next, by a file that is reviewed in Git."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lineshaft.contracts.registry.contract import Contract, Version
from lineshaft.contracts.registry.contracts import Contracts
from lineshaft.contracts.registry.digest import digest_of
from lineshaft.contracts.registry.environment import Change, Live, newest, plan, split_key
from lineshaft.contracts.registry.folder import write_environment
from lineshaft.contracts.registry.live import LiveContract
from lineshaft.contracts.registry.party import Party
from lineshaft.core.errors import ConfigError

__all__ = ["live_contracts", "planned", "promote"]


def planned(
    contracts: Contracts,
    source: str,
    target: str,
    *,
    only: Collection[str] = (),
    registered: Collection[Party] = (),
) -> list[Change]:
    """What promoting would change in `target`.

    source      an environment; empty: the newest published versions
    only        names of contracts; empty: all
    registered  parties of the target that are not in the folder, because they registered by API

    raises  ConfigError
    """
    for name in only:
        contracts.contract(name)
    wanted, here = _ends(contracts, source, target)
    parties = [*contracts.parties_in(target), *registered]
    return list(plan(wanted, here, contracts.contracts, parties, only=only))


def promote(
    contracts: Contracts,
    source: str,
    target: str,
    *,
    only: Collection[str] = (),
    registered: Collection[Party] = (),
) -> list[Change]:
    """As planned, written to the file of `target`.

    raises  ConfigError, and writes nothing, where it would break a party or a version is not published
    """
    changes = planned(contracts, source, target, only=only, registered=registered)
    findings = list(contracts.findings)
    for change in changes:
        findings += [str(each) for each in change.breaks if each.broken]
        if change.broken and not change.breaks:
            findings.append(
                f"{change.contract} v{change.major}: {change.what}; breaks {', '.join(change.broken)}"
            )
    wanted, here = _ends(contracts, source, target)
    kept = {key: each for key, each in here.items() if only and split_key(key)[0] not in only}
    taken = {key: each for key, each in wanted.items() if not only or split_key(key)[0] in only}
    findings += _unknown(taken, contracts.contracts)
    if findings:
        raise ConfigError(
            f"{target} stays as it is", findings=findings, hint="move these consumers first, or name others"
        )
    write_environment(contracts.plant.path, target, {**kept, **taken})
    return changes


def live_contracts(contracts: Contracts, environment: str) -> list[LiveContract]:
    """What a node of this environment runs; empty: the newest published versions.

    raises  ConfigError for a version that this installation does not have
    """
    live = contracts.live(environment) if environment else newest(contracts.contracts)
    if findings := [*contracts.findings, *_unknown(live, contracts.contracts)]:
        raise ConfigError(
            f"environment {environment!r} cannot be run here",
            findings=findings,
            hint="install the version of the product and the folder that were promoted, or promote again",
        )
    made = []
    for key, each in sorted(live.items()):
        contract = contracts.contracts[split_key(key)[0]]
        version = contract.find(Version.parse(each.version))
        if version is not None:
            made.append(
                LiveContract(
                    name=contract.name,
                    version=each.version,
                    kind=contract.kind,
                    owner=contract.owner,
                    state=each.state,
                    sunset=each.sunset,
                    digest=each.digest,
                    document=version.document,
                )
            )
    return made


def _ends(contracts: Contracts, source: str, target: str) -> tuple[Live, Live]:
    wanted = contracts.live(source) if source else newest(contracts.contracts)
    return wanted, contracts.plant.environments.get(target, {})


def _unknown(live: Live, contracts: Mapping[str, Contract]) -> list[str]:
    findings = []
    for key, each in sorted(live.items()):
        contract = contracts.get(split_key(key)[0])
        version = contract and contract.find(Version.parse(each.version))
        if not version or version.is_draft:
            findings.append(f"{key}: version {each.version} is not published here")
        elif each.digest != digest_of(version.document):
            findings.append(f"{key}: {each.version} is not the document of {each.digest} here")
    return findings
