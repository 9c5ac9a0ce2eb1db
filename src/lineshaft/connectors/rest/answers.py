"""What an answer's status and body mean: done, refused, not now, never, or nobody knows."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from lineshaft.connectors.rest.expression import Unmappable
from lineshaft.connectors.rest.http1 import Answer
from lineshaft.connectors.rest.mapping import RestMapping
from lineshaft.connectors.rest.transport import Question
from lineshaft.core.clock import Clock
from lineshaft.core.errors import (
    BusinessFault,
    LineshaftError,
    OutcomeUnknown,
    PermanentFault,
    TransientFault,
)

__all__ = ["Judge", "retry_after_s"]

NOT_DONE = frozenset({408, 425, 429, 503})
REFUSED = frozenset({400, 409, 412, 422, 423})
NEVER = frozenset({501, 505})
SHOWN = 300


class Judge:
    """Reads the answers of one system. owner: the desk for refusals that the mapping does not list."""

    def __init__(self, system: str, mapping: RestMapping, clock: Clock) -> None:
        self._system = system
        self._mapping = mapping
        self._clock = clock

    def document(self, question: Question, answer: Answer, owner: str) -> Any:
        """The JSON document of a successful answer, None for an empty one.

        raises  the fault that the answer stands for
        """
        if 200 <= answer.status < 300:
            try:
                document = msgspec.json.decode(answer.body) if answer.body.strip() else None
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise self.unreadable(question, answer, f"the answer is no JSON: {error}") from error
            if self._mapping.errors_in_success and (code := self._code(document)):
                raise self._refusal(question, answer, document, code, owner)
            return document
        raise self._fault(question, answer, owner)

    def unreadable(self, question: Question, answer: Answer, reason: str) -> LineshaftError:
        """A successful answer that is garbage: the command may well have been done."""
        message = f"{self._name(question)}: {answer.status}, {reason}; it begins {_shown(answer.body)}"
        if question.is_command:
            return OutcomeUnknown(message, code="unreadable_answer", hint="read it back by its key")
        return TransientFault(message, code="unreadable_answer")

    def unmappable(self, question: Question, answer: Answer, reason: str) -> LineshaftError:
        """A sound answer that the mapping cannot turn into our reply: asking again gives the same."""
        message = f"{self._name(question)}: {answer.status}, the answer does not fit the mapping: {reason}"
        hint = f"correct {self._mapping.file} or the system's answer, {_shown(answer.body)}"
        if question.is_command:
            return OutcomeUnknown(message, code="unmappable_answer", hint=hint)
        return PermanentFault(message, code="unmappable_answer", hint=hint)

    def _fault(self, question: Question, answer: Answer, owner: str) -> LineshaftError:
        try:
            document = msgspec.json.decode(answer.body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            document = None
        code = self._code(document)
        message = f"{self._name(question)}: {answer.status} {self._text(document, answer)}"
        if code in self._mapping.errors:
            return self._refusal(question, answer, document, code, owner)
        if answer.status in NOT_DONE:
            wait_s = retry_after_s(answer.headers.get("retry-after"), self._clock.now())
            kind = "rate_limited" if answer.status == 429 else "unavailable"
            return TransientFault(message, code=kind, retry_after_s=wait_s)
        if answer.status in REFUSED:
            hint = f"list {code} in errors of {self._mapping.file}" if code else ""
            return BusinessFault(message, code="rejected", hint=hint, owner=owner)
        if answer.status < 500 or answer.status in NEVER:
            return self._misdirected(message, answer)
        if question.is_command:
            return OutcomeUnknown(message, hint="read it back by its key")
        return TransientFault(message)

    def _misdirected(self, message: str, answer: Answer) -> PermanentFault:
        """Asked in the wrong way, at the wrong place or by the wrong user: only a person can change that."""
        match answer.status:
            case 401 | 407:
                return PermanentFault(message, code="unauthenticated", hint="check the credentials")
            case 403:
                return PermanentFault(
                    message, code="forbidden", hint="check the rights of the technical user"
                )
            case status if status < 400:
                where = answer.headers.get("location", "elsewhere")
                return PermanentFault(
                    message, code="moved", hint=f"it points to {where}; correct url or path"
                )
            case status:
                kind = "no_such_endpoint" if status == 404 else "wrong_request"
                hint = f"check url, and path and method in {self._mapping.file}"
                return PermanentFault(message, code=kind, hint=hint)

    def _refusal(
        self, question: Question, answer: Answer, document: Any, code: str, owner: str
    ) -> LineshaftError:
        message = f"{self._name(question)}: {answer.status} {self._text(document, answer)}"
        rule = self._mapping.errors.get(code)
        if rule is None:
            hint = f"list {code} in errors of {self._mapping.file}"
            return BusinessFault(message, code="rejected", hint=hint, owner=owner)
        if rule.retry:
            wait_s = retry_after_s(answer.headers.get("retry-after"), self._clock.now())
            return TransientFault(message, code=rule.code, retry_after_s=wait_s)
        return BusinessFault(message, code=rule.code, owner=rule.owner or owner)

    def _code(self, document: Any) -> str:
        expression = self._mapping.error_code
        if expression is None or document is None:
            return ""
        try:
            code = expression(document)
        except Unmappable:
            return ""
        return "" if code is None or isinstance(code, list | dict) else str(code)

    def _text(self, document: Any, answer: Answer) -> str:
        """The system's own code and words, else the beginning of the body."""
        text: Any = None
        if self._mapping.error_text is not None and document is not None:
            try:
                text = self._mapping.error_text(document)
            except Unmappable:
                text = None
        said = [part for part in (self._code(document), str(text)[:SHOWN] if text else "") if part]
        return ": ".join(said) if said else _shown(answer.body)

    def _name(self, question: Question) -> str:
        return f"{self._system} {question.what}, {question.method} {question.path}"


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header: a number of seconds or an HTTP date. None: it does not say.

    source  RFC 9110 §10.2.3
    """
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except (ValueError, TypeError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _shown(body: bytes) -> str:
    return repr(body[:SHOWN].decode(errors="replace")) if body else "(empty)"
