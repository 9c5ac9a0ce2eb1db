"""Webhooks of a mapped system: signature checked, body turned into events of the declared contracts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from lineshaft.connectors.rest.expression import Expression, Unmappable
from lineshaft.connectors.rest.mapping import MappedWebhook, RestMapping, StandardSignature
from lineshaft.connectors.rest.settings import RestSettings
from lineshaft.core.clock import Clock, SystemClock
from lineshaft.core.errors import ContractViolation, PermanentFault
from lineshaft.core.signing import body_signature_fits, check_standard, secret_bytes
from lineshaft.core.values import Event, Moment

__all__ = ["WebhookTranslator"]

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class WebhookTranslator:
    """Implements core.ports.Webhook for one system."""

    def __init__(self, settings: RestSettings, mapping: RestMapping, clock: Clock | None = None) -> None:
        """raises  ConfigError for a secret that Standard Webhooks does not know"""
        self._settings = settings
        self._mapping = mapping
        self._clock = clock or SystemClock()
        if any(isinstance(mapped.signature, StandardSignature) for mapped in mapping.webhooks.values()):
            for secret in settings.webhook_secrets:
                secret_bytes(secret)

    def owner(self, hook: str) -> str:
        """The desk that owns what comes over the hook. raises PermanentFault for an unknown one"""
        return self._hook(hook).contract.owner

    def translate(self, hook: str, headers: Mapping[str, str], body: bytes) -> Sequence[Event]:
        """The event that the body tells, or none when the hook's `when` does not hold.

        raises  PermanentFault, code `unknown_hook` or `wrong_signature`; ContractViolation with all findings
        """
        given = {name.lower(): value for name, value in headers.items()}
        self._check_signature(self._hook(hook), given, body)
        return self._told(hook, given, body)

    def reread(self, hook: str, body: bytes) -> Sequence[Event]:
        """See core.ports.Webhook."""
        return self._told(hook, {}, body)

    def _told(self, hook: str, given: Mapping[str, str], body: bytes) -> Sequence[Event]:
        mapped = self._hook(hook)
        what = f"webhook {self._settings.name}/{hook}"
        try:
            document = msgspec.json.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ContractViolation(f"{what}: the body is no JSON", findings=[f"(root): {error}"]) from error
        findings: list[str] = []

        def value(expression: Expression) -> Any:
            try:
                return expression(document)
            except Unmappable as error:
                findings.append(f"(root): {error}")
                return None

        if mapped.when is not None and not value(mapped.when):
            if findings:
                raise ContractViolation(f"{what}: the body cannot be read", findings=findings)
            return []
        data = self._data(mapped, value, findings)
        time = self._time(mapped, value, findings)
        identity = []
        for expression in mapped.identity:
            part = value(expression)
            if part is None or isinstance(part, list | dict):
                findings.append(f"identity: {expression.place} gives {part!r}, expected text or a number")
            identity.append(str(part))
        correlation = value(mapped.correlation) if mapped.correlation is not None else None
        if findings or time is None:
            message = f"{what}: the body does not give a {mapped.contract.type}"
            raise ContractViolation(message, findings=list(dict.fromkeys(findings)))
        traceparent = given.get("traceparent", "")
        return [
            mapped.contract.make(
                data,
                plant=self._settings.plant,
                source=self._settings.source,
                identity=tuple(identity),
                time=time,
                correlation_id=str(correlation) if correlation else "",
                traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else "",
            )
        ]

    def _hook(self, hook: str) -> MappedWebhook:
        mapped = self._mapping.webhooks.get(hook)
        if mapped is None:
            known = ", ".join(self._mapping.webhooks) or "none"
            raise PermanentFault(
                f"system {self._settings.name!r} has no webhook {hook!r}",
                code="unknown_hook",
                hint=f"known: {known}; they are declared in {self._mapping.file}",
            )
        return mapped

    def _check_signature(self, mapped: MappedWebhook, headers: Mapping[str, str], body: bytes) -> None:
        signature, secrets = mapped.signature, self._settings.webhook_secrets
        if isinstance(signature, StandardSignature):
            check_standard(headers, body, secrets, self._clock.now(), tolerance_s=signature.tolerance_s)
            return
        given = headers.get(signature.header, "")
        if not body_signature_fits(given, signature.prefix, body, secrets):
            raise PermanentFault(
                f"webhook {self._settings.name}/{mapped.hook}: header {signature.header} is "
                f"{'missing' if not given else 'not the signature of this body'}",
                code="wrong_signature",
                hint="check that both sides have the same secret",
            )

    @staticmethod
    def _data(mapped: MappedWebhook, value: Callable[[Expression], Any], findings: list[str]) -> Any:
        before = len(findings)
        document = value(mapped.data)
        if len(findings) > before:
            return None
        try:
            return mapped.contract.schema.convert(document)
        except ContractViolation as violation:
            findings.extend(violation.findings)
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            findings.append(f"(root): {error}")
        return None

    @staticmethod
    def _time(
        mapped: MappedWebhook, value: Callable[[Expression], Any], findings: list[str]
    ) -> datetime | None:
        given = value(mapped.time)
        try:
            return msgspec.convert(given, Moment)
        except msgspec.ValidationError as error:
            findings.append(f"time: {mapped.time.place} gives {given!r}: {error}")
        return None
