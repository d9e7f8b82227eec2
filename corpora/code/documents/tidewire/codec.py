"""Typed messages to bytes and back: a registry of dataclasses over JSON."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import types
import typing
import uuid
import zlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation

from .errors import DecodeError, PayloadTooLarge, UnknownTypeError

PLAIN = "json"
DEFLATED = "json+deflate"
MAX_INFLATED_BYTES = 16 * 1024 * 1024

_REGISTRY: dict[tuple[str, int], type] = {}
_NAMES: dict[type, tuple[str, int]] = {}


def message_type(name: str, version: int = 1) -> Callable[[type], type]:
    """Class decorator that registers a dataclass under a dotted name and a version."""

    def register(cls: type) -> type:
        if not dataclasses.is_dataclass(cls):
            raise TypeError(f"{cls.__name__} must be a dataclass")
        known = _REGISTRY.get((name, version))
        if known is not None and known.__qualname__ != cls.__qualname__:
            raise ValueError(f"{name} v{version} already belongs to {known.__qualname__}")
        _REGISTRY[(name, version)] = cls
        _NAMES[cls] = (name, version)
        return cls

    return register


def describe(message: object) -> tuple[str, int]:
    """Registered name and version of a message instance."""
    try:
        return _NAMES[type(message)]
    except KeyError:
        raise UnknownTypeError("class is not registered", cls=type(message).__name__) from None


def lookup(name: str, version: int) -> type:
    """Class that was registered for a name and a version."""
    try:
        return _REGISTRY[(name, version)]
    except KeyError:
        raise UnknownTypeError("no class for this type", type=name, version=version) from None


def fingerprint(cls: type) -> str:
    """Twelve hex digits that change whenever a field is added, dropped, renamed or retyped.

    Field order and default values do not take part, so moving a field about
    or giving it a default is a compatible change.
    """
    hints = typing.get_type_hints(cls)
    parts = sorted(f"{field.name}:{hints[field.name]!r}" for field in dataclasses.fields(cls))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _to_plain(value: object) -> object:
    """Fallback of json.dumps for the few rich types that we let through."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a datetime must carry a time zone")
        return value.isoformat()
    if isinstance(value, (Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} cannot be put into a message")


def encode(message: object, max_bytes: int, compress_above: int) -> tuple[bytes, str]:
    """Serialise a message; returns the body and the name of its encoding.

    The size limit applies to the JSON before compression: a body that squeezes
    well on the way in would otherwise surprise every consumer on the way out.
    """
    plain = dataclasses.asdict(message)  # type: ignore[call-overload]
    body = json.dumps(plain, default=_to_plain, ensure_ascii=False, separators=(",", ":")).encode()
    if len(body) > max_bytes:
        raise PayloadTooLarge("message is too large", size=len(body), limit=max_bytes)
    if len(body) > compress_above:
        return zlib.compress(body, level=6), DEFLATED
    return body, PLAIN


def _inflate(body: bytes) -> bytes:
    """Decompress without trusting the sender: output beyond 16 MiB is refused."""
    worker = zlib.decompressobj()
    data = worker.decompress(body, MAX_INFLATED_BYTES)
    if worker.unconsumed_tail or not worker.eof:
        raise DecodeError("compressed body is truncated or too large", limit=MAX_INFLATED_BYTES)
    return data


def _coerce(value: object, hint: typing.Any, path: str) -> object:
    """Rebuild the declared type of one field from its JSON form, recursively."""
    origin = typing.get_origin(hint)
    args = typing.get_args(hint)
    if hint is typing.Any:
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        inner = [arg for arg in args if arg is not type(None)]
        return _coerce(value, inner[0], path)
    if origin is list and isinstance(value, list):
        return [_coerce(item, args[0], f"{path}[{n}]") for n, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: _coerce(item, args[1], f"{path}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return build(hint, value, path)  # type: ignore[arg-type]
    if hint is datetime and isinstance(value, str):
        return datetime.fromisoformat(value)
    if hint in (Decimal, uuid.UUID) and isinstance(value, str):
        return hint(value)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and type(value) is hint:
        return value
    raise DecodeError("field has the wrong type", field=path, got=type(value).__name__)


def build(cls: type, plain: dict[str, object], path: str = "$") -> object:
    """Fill a dataclass from decoded JSON, ignoring keys that it does not declare."""
    hints = typing.get_type_hints(cls)
    values: dict[str, object] = {}
    for field in dataclasses.fields(cls):
        if field.name in plain:
            values[field.name] = _coerce(plain[field.name], hints[field.name], f"{path}.{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise DecodeError("required field is absent", field=f"{path}.{field.name}")
    return cls(**values)


def decode(body: bytes, encoding: str, name: str, version: int) -> object:
    """Parse a body into an instance of the class registered for its type."""
    cls = lookup(name, version)
    if encoding not in (PLAIN, DEFLATED):
        raise DecodeError("unknown encoding", encoding=encoding)
    try:
        text = _inflate(body) if encoding == DEFLATED else body
        plain = json.loads(text)
        if not isinstance(plain, dict):
            raise DecodeError("body is not an object", type=name)
        return build(cls, plain)
    except (ValueError, InvalidOperation, zlib.error) as exc:
        raise DecodeError("body cannot be parsed", type=name, cause=type(exc).__name__) from exc
