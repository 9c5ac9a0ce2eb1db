"""The processes that the settings name: shipped ones by name, a user's own by `package.module:name`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from lineshaft.core.errors import ConfigError
from lineshaft.processes import SHIPPED, ProcessDefinition

__all__ = ["definitions_of"]


def definitions_of(reference: str) -> Sequence[ProcessDefinition]:
    """Every version that the reference gives: instances that began under an older one end under it.

    reference   `corrective_maintenance`, or `acme.processes:scrap` for a definition or a list of its versions
    raises      ConfigError
    """
    if reference in SHIPPED:
        return SHIPPED[reference]
    module_name, colon, name = reference.partition(":")
    if not colon:
        raise ConfigError(
            f"{reference!r} is no process; known: {', '.join(SHIPPED)}",
            hint="one of your own is named as package.module:name",
        )
    try:
        found = getattr(import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{reference!r} cannot be imported: {error}",
            hint="name it as package.module:name, in a package that is installed beside lineshaft",
        ) from error
    versions = [found] if isinstance(found, ProcessDefinition) else found
    if not isinstance(versions, list | tuple) or not all(
        isinstance(version, ProcessDefinition) for version in versions
    ):
        raise ConfigError(
            f"{reference!r} is no process and no list of its versions, but {type(found).__name__}",
            hint="name what @process made, or a list of such, as package.module:name",
        )
    return versions
