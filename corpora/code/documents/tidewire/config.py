"""Settings: defaults, reading from the environment, and range checks."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from .errors import ConfigError, UnknownSettingError

ENV_PREFIX = "TIDEWIRE_"

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*$")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a client can be told; a name ending in ``_s`` is in seconds."""

    dsn: str = ":memory:"
    service: str = "unnamed"
    publish_timeout_s: float = 4.0
    lease_s: float = 45.0
    prefetch: int = 16
    max_attempts: int = 7
    backoff_base_s: float = 0.5
    backoff_factor: float = 3.0
    backoff_cap_s: float = 90.0
    backoff_jitter: float = 0.2
    retry_budget_ratio: float = 0.1
    message_ttl_s: float = 86400.0
    dedupe_window_s: float = 600.0
    max_payload_bytes: int = 262144
    compress_above_bytes: int = 8192
    max_depth: int = 50000
    dead_letter_retention_s: float = 21 * 86400.0
    drain_timeout_s: float = 20.0
    poll_interval_s: float = 0.2
    log_payloads: bool = False


_RANGES: dict[str, tuple[float, float]] = {
    "publish_timeout_s": (0.05, 60),
    "lease_s": (5, 900),
    "prefetch": (1, 256),
    "max_attempts": (1, 25),
    "backoff_base_s": (0.01, 30),
    "backoff_factor": (1, 10),
    "backoff_cap_s": (0.1, 3600),
    "backoff_jitter": (0, 0.9),
    "retry_budget_ratio": (0, 1),
    "message_ttl_s": (0, 30 * 86400),
    "dedupe_window_s": (0, 86400),
    "max_payload_bytes": (1024, 4194304),
    "compress_above_bytes": (256, 4194304),
    "max_depth": (1, 5000000),
    "dead_letter_retention_s": (86400, 90 * 86400),
    "drain_timeout_s": (0, 300),
    "poll_interval_s": (0.01, 10),
}


def parse_duration(text: str) -> float:
    """Turn '250ms', '4s', '2m', '1h', '21d' or a bare number into seconds."""
    match = _DURATION.match(text)
    if match is None:
        raise ConfigError("not a duration", value=text)
    number, unit = match.groups()
    return float(number) * _UNIT_SECONDS[unit or "s"]


def parse_flag(text: str) -> bool:
    """Read a yes/no word; anything else is an error rather than a silent False."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ConfigError("not a yes/no value", value=text)


def env_name(field_name: str) -> str:
    """Name of the environment variable that sets a field, unit suffix dropped."""
    return ENV_PREFIX + field_name.removesuffix("_s").upper()


def _convert(name: str, kind: str, text: str) -> object:
    try:
        if kind == "bool":
            return parse_flag(text)
        if kind == "int":
            return int(text)
        if name.endswith("_s"):
            return parse_duration(text)
        if kind == "float":
            return float(text)
    except ValueError as exc:
        raise ConfigError("not a number", setting=name, value=text) from exc
    return text


def validate(settings: Settings) -> Settings:
    """Refuse values outside their range and combinations that cannot work."""
    for name, (low, high) in _RANGES.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise ConfigError("out of range", setting=name, value=value, low=low, high=high)
    if settings.backoff_cap_s < settings.backoff_base_s:
        raise ConfigError("the backoff cap is below its base", cap=settings.backoff_cap_s)
    if settings.compress_above_bytes > settings.max_payload_bytes:
        raise ConfigError("compression would never start", threshold=settings.compress_above_bytes)
    return settings


def load_settings(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Merge defaults, then the environment, then keyword overrides, and validate the result.

    A variable that starts with TIDEWIRE_ and matches no setting is refused: a
    misspelt name that is quietly ignored has cost us more than a failed start.
    """
    source = os.environ if environ is None else environ
    by_env = {env_name(field.name): field for field in fields(Settings)}
    values: dict[str, object] = {}
    for key, text in source.items():
        if not key.startswith(ENV_PREFIX):
            continue
        field = by_env.get(key)
        if field is None:
            raise UnknownSettingError("no such setting", variable=key)
        values[field.name] = _convert(field.name, str(field.type), text)
    unknown = set(overrides) - {field.name for field in fields(Settings)}
    if unknown:
        raise UnknownSettingError("no such setting", names=",".join(sorted(unknown)))
    values.update(overrides)
    return validate(Settings(**values))  # type: ignore[arg-type]
