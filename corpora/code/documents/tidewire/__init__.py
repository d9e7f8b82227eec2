"""tidewire: typed messages over a small queue, with retries that end somewhere."""

from .backoff import BackoffPolicy, RetryBudget
from .client import Client, Delivery, PollResult
from .codec import message_type
from .config import Settings, load_settings
from .deadletter import DeadLetter, DeadLetterStore
from .envelope import Envelope
from .errors import PermanentFailure, RetryLater, TidewireError
from .metrics import Metrics
from .transport import SqliteTransport

__version__ = "3.4.0"

__all__ = [
    "BackoffPolicy",
    "Client",
    "DeadLetter",
    "DeadLetterStore",
    "Delivery",
    "Envelope",
    "Metrics",
    "PermanentFailure",
    "PollResult",
    "RetryBudget",
    "RetryLater",
    "Settings",
    "SqliteTransport",
    "TidewireError",
    "load_settings",
    "message_type",
]
