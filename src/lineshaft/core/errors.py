"""The error tree. What is raised says how to react, not what happened to cause it.

LineshaftError(code, message, hint)
├── ConfigError           the settings are wrong: file, line, what was expected
├── ContractViolation     a payload broke its contract: every path, rule and value
├── TechnicalFault
│   ├── TransientFault    retry (after retry_after_s when the peer said so)
│   ├── PermanentFault    retrying cannot help: credentials, missing endpoint, a bug
│   │   └── ChangedMeanwhile  look again: somebody decided since what the caller saw
│   └── OutcomeUnknown    sent, no answer: look up by business key before anything else
└── BusinessFault         the target refused on business grounds; a person decides
"""

from __future__ import annotations

__all__ = [
    "BusinessFault",
    "ChangedMeanwhile",
    "ConfigError",
    "ContractViolation",
    "LineshaftError",
    "OutcomeUnknown",
    "PermanentFault",
    "TechnicalFault",
    "TransientFault",
]


class LineshaftError(Exception):
    """code: stable snake_case for machines; message: the thing and the value; hint: the next step."""

    def __init__(self, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint

    default_code = "error"

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(LineshaftError):
    """The configuration is wrong; every finding is one line `file:line: what`."""

    default_code = "config"

    def __init__(self, message: str, *, findings: list[str] | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.findings = findings or []

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  {finding}" for finding in self.findings)])


class ContractViolation(LineshaftError):
    """A payload broke its contract. Each finding is `path: rule (value)`."""

    default_code = "contract_violation"

    def __init__(self, message: str, *, findings: list[str] | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.findings = findings or []

    def __str__(self) -> str:
        return super().__str__() + "".join(f"; {finding}" for finding in self.findings)


class TechnicalFault(LineshaftError):
    default_code = "technical"


class TransientFault(TechnicalFault):
    """Nothing took effect; trying again can help."""

    default_code = "unavailable"

    def __init__(
        self, message: str, *, code: str = "", hint: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after_s = retry_after_s


class PermanentFault(TechnicalFault):
    """Nothing took effect, and trying again cannot help."""

    default_code = "permanent"


class ChangedMeanwhile(PermanentFault):
    """Somebody else decided since what the caller saw. by, at: who, and when as the ledger has times; empty
    where that is not known."""

    default_code = "changed_meanwhile"

    def __init__(self, message: str, *, by: str = "", at: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.by, self.at = by, at

    @classmethod
    def told(cls, thing: str, *, by: str, at: str, action: str) -> ChangedMeanwhile:
        """action: what was done last, as the audit has it, such as `exception.fixed`; empty: not known"""
        did = action.rpartition(".")[2] or "changed"
        when = f" at {at[:19].replace('T', ' ')} UTC" if at else ""
        return cls(
            f"{thing} was {did} by {by or 'somebody else'}{when}: nothing was changed now",
            by=by,
            at=at,
            hint="look at it as it is now, and decide then",
        )


class OutcomeUnknown(TechnicalFault):
    """The request may have taken effect: read it back by business key before any repeat."""

    default_code = "outcome_unknown"


class BusinessFault(LineshaftError):
    """The target refused on business grounds; owner names who decides."""

    default_code = "rejected"

    def __init__(self, message: str, *, code: str = "", hint: str = "", owner: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.owner = owner
