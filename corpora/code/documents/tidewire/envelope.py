"""The wrapper around a body: identity, routing, age, attempts and a checksum."""

from __future__ import annotations

import base64
import json
import secrets
import zlib
from dataclasses import asdict, dataclass, field, replace

from . import codec
from .config import Settings
from .errors import ChecksumMismatch, DecodeError, SchemaDrift

MAX_HEADERS = 24
MAX_HEADER_CHARS = 512


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message as it travels; frozen, so every change makes a new copy."""

    id: str
    queue: str
    type_name: str
    version: int
    fingerprint: str
    body: bytes
    encoding: str
    checksum: int
    created_at: float
    expires_at: float | None
    trace_id: str
    causation_id: str | None = None
    attempt: int = 1
    headers: dict[str, str] = field(default_factory=dict)

    def is_expired(self, now: float) -> bool:
        """Whether the time to live has run out; a message without one never expires."""
        return self.expires_at is not None and now >= self.expires_at

    def age(self, now: float) -> float:
        """Seconds since the message was sealed, never negative under clock skew."""
        return max(0.0, now - self.created_at)

    def for_next_attempt(self) -> Envelope:
        """Copy with the attempt counter raised by one and everything else kept."""
        return replace(self, attempt=self.attempt + 1)

    def reset(self, now: float, ttl_s: float) -> Envelope:
        """Copy that starts again from attempt 1 with a fresh time to live."""
        return replace(self, attempt=1, expires_at=now + ttl_s if ttl_s > 0 else None)


def new_message_id(now: float) -> str:
    """Identifier that sorts by creation time: 11 hex digits of milliseconds, 10 random."""
    return f"{int(now * 1000):011x}{secrets.token_hex(5)}"


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Enforce the limits on headers: 24 of them, 512 characters each, lower-case names."""
    if len(headers) > MAX_HEADERS:
        raise ValueError(f"more than {MAX_HEADERS} headers")
    for name, value in headers.items():
        if name != name.lower() or len(value) > MAX_HEADER_CHARS:
            raise ValueError(f"bad header {name!r}")
    return dict(headers)


def seal(
    message: object,
    queue: str,
    settings: Settings,
    now: float,
    *,
    ttl_s: float | None = None,
    cause: Envelope | None = None,
    headers: dict[str, str] | None = None,
) -> Envelope:
    """Encode a message and wrap it; a message caused by another inherits its trace."""
    name, version = codec.describe(message)
    body, encoding = codec.encode(message, settings.max_payload_bytes, settings.compress_above_bytes)
    ttl = settings.message_ttl_s if ttl_s is None else ttl_s
    message_id = new_message_id(now)
    return Envelope(
        id=message_id,
        queue=queue,
        type_name=name,
        version=version,
        fingerprint=codec.fingerprint(type(message)),
        body=body,
        encoding=encoding,
        checksum=zlib.crc32(body),
        created_at=now,
        expires_at=now + ttl if ttl > 0 else None,
        trace_id=cause.trace_id if cause else message_id,
        causation_id=cause.id if cause else None,
        headers=check_headers(headers or {}),
    )


def unseal(envelope: Envelope) -> object:
    """Verify the checksum, compare fingerprints, and decode the body.

    The checksum comes first: a damaged body must not be reported as a schema
    problem, because the two lead to different people being woken up.
    """
    if zlib.crc32(envelope.body) != envelope.checksum:
        raise ChecksumMismatch("body was altered after sealing", id=envelope.id)
    cls = codec.lookup(envelope.type_name, envelope.version)
    expected = codec.fingerprint(cls)
    if expected != envelope.fingerprint:
        raise SchemaDrift("fields differ", type=envelope.type_name, ours=expected, theirs=envelope.fingerprint)
    return codec.decode(envelope.body, envelope.encoding, envelope.type_name, envelope.version)


def dump(envelope: Envelope) -> str:
    """Flatten an envelope to JSON text, body in base64, for storage."""
    plain = asdict(envelope)
    plain["body"] = base64.b64encode(envelope.body).decode("ascii")
    return json.dumps(plain, sort_keys=True)


def load(text: str) -> Envelope:
    """Inverse of dump; stored text that does not parse raises DecodeError."""
    try:
        plain = json.loads(text)
        plain["body"] = base64.b64decode(plain["body"], validate=True)
        return Envelope(**plain)
    except (ValueError, KeyError, TypeError) as exc:
        raise DecodeError("stored envelope cannot be read", cause=type(exc).__name__) from exc
