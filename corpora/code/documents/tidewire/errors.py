"""Exceptions raised by tidewire, each bound to one stable TW code.

A code is a promise to whoever is on call: dashboards and alert rules match on
it, so a code is never reused for another meaning, even after it is retired.
"""

from __future__ import annotations

from typing import ClassVar


class TidewireError(Exception):
    """Base of everything tidewire raises on purpose."""

    code: ClassVar[str] = "TW-1000"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.context = context

    def __str__(self) -> str:
        """Render as ``TW-1102: text (key=value ...)`` so that logs can be grouped by code."""
        if not self.context:
            return f"{self.code}: {self.message}"
        details = " ".join(f"{key}={value}" for key, value in sorted(self.context.items()))
        return f"{self.code}: {self.message} ({details})"


class ConfigError(TidewireError):
    """A setting has a value outside its allowed range or of the wrong kind."""

    code = "TW-1001"


class UnknownSettingError(ConfigError):
    """An environment variable starts with TIDEWIRE_ but names no setting."""

    code = "TW-1002"


class ConnectError(TidewireError):
    """The queue store could not be opened or answered with an I/O failure."""

    code = "TW-1101"
    retryable = True


class PublishTimeout(TidewireError):
    """The publish deadline passed before the store accepted the message."""

    code = "TW-1102"
    retryable = True


class LeaseLost(TidewireError):
    """The receipt is no longer valid because another consumer may hold the message."""

    code = "TW-1103"


class QueueFull(TidewireError):
    """The queue already holds as many messages as its depth limit allows."""

    code = "TW-1104"
    retryable = True


class UnknownTypeError(TidewireError):
    """No class is registered for the type name and version of a message."""

    code = "TW-1201"


class DecodeError(TidewireError):
    """The body is not valid JSON or does not fit the fields of its class."""

    code = "TW-1202"


class PayloadTooLarge(TidewireError):
    """The encoded body, before compression, is larger than the limit."""

    code = "TW-1203"


class ChecksumMismatch(TidewireError):
    """The stored body does not match the checksum taken when it was sealed."""

    code = "TW-1204"


class SchemaDrift(TidewireError):
    """Sender and receiver disagree about the fields of the same type and version."""

    code = "TW-1205"


class MessageExpired(TidewireError):
    """The message outlived its time to live before a handler saw it."""

    code = "TW-1301"


class AttemptsExhausted(TidewireError):
    """The last permitted delivery attempt failed."""

    code = "TW-1302"


class PermanentFailure(TidewireError):
    """Raised by a handler to say that trying again cannot help."""

    code = "TW-1304"


class RetryLater(TidewireError):
    """Raised by a handler that wants a particular wait before the next attempt."""

    code = "TW-1305"
    retryable = True

    def __init__(self, delay_s: float, reason: str = "handler asked to wait") -> None:
        super().__init__(reason, delay_s=delay_s)
        self.delay_s = delay_s


class RetryBudgetSpent(TidewireError):
    """Too large a share of recent sends were already retries."""

    code = "TW-1401"
    retryable = True


class ClientClosed(TidewireError):
    """The client was used after close() or while it was draining."""

    code = "TW-1402"


class HandlerMissing(TidewireError):
    """A queue was polled for which no handler is registered."""

    code = "TW-1403"


RETIRED_CODES: frozenset[str] = frozenset({"TW-1303"})


def class_for_code(code: str) -> type[TidewireError]:
    """Map a TW code taken from a log line back to its exception class."""
    pending: list[type[TidewireError]] = [TidewireError]
    while pending:
        cls = pending.pop()
        if cls.code == code:
            return cls
        pending.extend(cls.__subclasses__())
    raise KeyError(f"{code} is retired" if code in RETIRED_CODES else f"{code} is not a tidewire code")
