"""Refusals that a program can tell apart, whatever the language of the user.

Every refusal of `lineshaft.posting` reads `lineshaft:<code>: <text for people>`. The REST API answers it with
400 and a JSON object whose `message` is that line.
"""

from __future__ import annotations

from trytond.exceptions import UserError, UserWarning

__all__ = ["Refusal", "refusal_of"]

# Name of the exception class in Tryton: our code. Names, because their modules need not be loaded.
CODE_BY_EXCEPTION = {
    "PeriodNotFoundError": "closed_period",
    "FiscalYearNotFoundError": "closed_period",
    "ClosePeriodError": "closed_period",
    "PeriodCloseError": "closed_period",
    "AccountMissing": "account_determination",
    "JournalMissing": "account_determination",
    "AccountValidationError": "account_determination",
    "SecondCurrencyError": "account_determination",
    "AssignError": "insufficient_stock",
    "ForeignKeyError": "unknown_reference",
    "PostError": "mapping_error",
    "ValidationError": "mapping_error",
    "AccessButtonError": "access_denied",
    "AccessError": "access_denied",
}


class Refusal(UserError):
    """A UserError whose message starts with a code."""

    def __init__(self, code: str, text: str, description: str = "") -> None:
        super().__init__(f"lineshaft:{code}: {text}", description)
        self.refusal_code = code


def refusal_of(error: UserError | UserWarning) -> Refusal:
    """The refusal for an error or unconfirmed warning of Tryton; the nearest known class decides its code."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, UserWarning):
        return Refusal("warning_unaccepted", error.message, error.description)
    names = (base.__name__ for base in type(error).__mro__)
    code = next((CODE_BY_EXCEPTION[name] for name in names if name in CODE_BY_EXCEPTION), "rejected")
    return Refusal(code, error.message, error.description)
