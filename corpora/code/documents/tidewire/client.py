"""The client that services use: publish, register handlers, poll, drain."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from . import envelope as env
from .backoff import BackoffPolicy, RetryBudget, is_retryable, requested_delay, should_retry
from .config import Settings, load_settings
from .deadletter import DeadLetterStore
from .envelope import Envelope
from .errors import (
    AttemptsExhausted,
    ClientClosed,
    HandlerMissing,
    LeaseLost,
    MessageExpired,
    PublishTimeout,
    RetryBudgetSpent,
    TidewireError,
)
from .metrics import Metrics
from .transport import Lease, SqliteTransport

log = logging.getLogger("tidewire.client")


@dataclass(slots=True)
class Delivery:
    """What a handler may know and do about the message in its hands."""

    client: Client
    lease: Lease

    @property
    def envelope(self) -> Envelope:
        """The envelope as it was leased."""
        return self.lease.envelope

    def extend(self, seconds: float | None = None) -> float:
        """Ask for more time before the message is offered to another consumer."""
        return self.client.transport.extend(
            self.lease.receipt, seconds or self.client.settings.lease_s, self.client.clock()
        )

    def publish(self, queue: str, message: object, **options: object) -> str:
        """Publish a follow-up message that shares the trace of this one."""
        return self.client.publish(queue, message, cause=self.envelope, **options)  # type: ignore[arg-type]


Handler = Callable[[object, Delivery], None]


@dataclass(slots=True)
class PollResult:
    """Outcome of one round: every leased message is counted exactly once."""

    done: int = 0
    retried: int = 0
    buried: int = 0
    lost: int = 0

    @property
    def total(self) -> int:
        """Messages leased in the round."""
        return self.done + self.retried + self.buried + self.lost


class Client:
    """Typed publisher and consumer over one transport."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        transport: SqliteTransport | None = None,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings or load_settings()
        self.transport = transport or SqliteTransport(self.settings.dsn, self.settings.max_depth)
        self.metrics = metrics or Metrics(self.settings.service)
        self.dead_letters = DeadLetterStore(self.transport, self.settings.dead_letter_retention_s)
        self.clock = clock
        self._sleep = sleep
        self._policy = BackoffPolicy(
            self.settings.backoff_base_s,
            self.settings.backoff_factor,
            self.settings.backoff_cap_s,
            self.settings.backoff_jitter,
        )
        self._budget = RetryBudget(self.settings.retry_budget_ratio)
        self._handlers: dict[str, Handler] = {}
        self._stopping = threading.Event()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def publish(
        self,
        queue: str,
        message: object,
        *,
        delay_s: float = 0.0,
        ttl_s: float | None = None,
        dedupe_key: str | None = None,
        cause: Envelope | None = None,
        headers: dict[str, str] | None = None,
    ) -> str:
        """Send one message and return its id, retrying store faults until the deadline.

        With a ``dedupe_key`` that was already used on the queue inside the
        window nothing is stored and the id of the first message is returned.
        """
        if self._closed or (self._stopping.is_set() and cause is None):
            raise ClientClosed("publish after close", queue=queue)
        sealed = env.seal(message, queue, self.settings, self.clock(), ttl_s=ttl_s, cause=cause, headers=headers)
        self._budget.note_send()
        with self.metrics.timer("publish_seconds", queue=queue):
            return self._push_until_deadline(sealed, dedupe_key, delay_s)

    def _push_until_deadline(self, sealed: Envelope, dedupe_key: str | None, delay_s: float) -> str:
        deadline = self.clock() + self.settings.publish_timeout_s
        attempt = 1
        while True:
            try:
                return self._push_once(sealed, dedupe_key, delay_s)
            except TidewireError as exc:
                if not exc.retryable:
                    raise
                wait = self._policy.compute_delay(attempt)
                if self.clock() + wait > deadline:
                    raise PublishTimeout("gave up", queue=sealed.queue, attempts=attempt) from exc
                if not self._budget.try_spend():
                    raise RetryBudgetSpent("no retry left in the window", queue=sealed.queue) from exc
                log.warning(
                    "publish_retry queue=%s code=%s attempt=%d wait_s=%.2f", sealed.queue, exc.code, attempt, wait
                )
                self._sleep(wait)
                attempt += 1

    def _push_once(self, sealed: Envelope, dedupe_key: str | None, delay_s: float) -> str:
        now = self.clock()
        if dedupe_key is not None:
            kept = self.transport.push_once(sealed, dedupe_key, self.settings.dedupe_window_s, now, now + delay_s)
            outcome = "stored" if kept == sealed.id else "duplicate"
        else:
            self.transport.push(sealed, now + delay_s)
            kept, outcome = sealed.id, "stored"
        self.metrics.count("published", queue=sealed.queue, outcome=outcome)
        return kept

    def on(self, queue: str) -> Callable[[Handler], Handler]:
        """Decorator that makes a function the handler of a queue; one handler per queue."""

        def register(handler: Handler) -> Handler:
            if queue in self._handlers:
                raise ValueError(f"{queue} already has a handler")
            self._handlers[queue] = handler
            return handler

        return register

    def poll_once(self, queue: str) -> PollResult:
        """Lease one batch and settle every message in it before returning."""
        if self._closed:
            raise ClientClosed("poll after close", queue=queue)
        handler = self._handlers.get(queue)
        if handler is None:
            raise HandlerMissing("no handler is registered", queue=queue)
        result = PollResult()
        for lease in self.transport.lease(queue, self.settings.prefetch, self.settings.lease_s, self.clock()):
            outcome = self._settle(lease, handler)
            setattr(result, outcome, getattr(result, outcome) + 1)
            self.metrics.count("settled", queue=queue, outcome=outcome)
        return result

    def _settle(self, lease: Lease, handler: Handler) -> str:
        """Run the handler on one message and decide between ack, retry and burial."""
        try:
            self._deliver(lease, handler)
            self.transport.ack(lease.receipt, self.clock())
            return "done"
        except LeaseLost as exc:
            log.error("lease_lost id=%s queue=%s code=%s", lease.envelope.id, lease.envelope.queue, exc.code)
            return "lost"
        except Exception as exc:  # noqa: BLE001 - a handler may raise anything
            return self._settle_failure(lease, exc)

    def _deliver(self, lease: Lease, handler: Handler) -> None:
        """Drop what has expired, decode the rest, and time the handler."""
        envelope = lease.envelope
        now = self.clock()
        if envelope.is_expired(now):
            raise MessageExpired("time to live ran out", id=envelope.id, age_s=round(envelope.age(now)))
        message = env.unseal(envelope)
        if self.settings.log_payloads:
            log.debug("payload id=%s message=%r", envelope.id, message)
        with self.metrics.timer("handler_seconds", queue=envelope.queue):
            handler(message, Delivery(self, lease))

    def _settle_failure(self, lease: Lease, error: Exception) -> str:
        """Release the message for a later attempt, or bury it when no retry is due."""
        envelope = lease.envelope
        now = self.clock()
        try:
            if should_retry(error, envelope.attempt, self.settings.max_attempts):
                asked = requested_delay(error)
                wait = self._policy.compute_delay(envelope.attempt) if asked is None else asked
                self.transport.release(lease.receipt, envelope.for_next_attempt(), now + wait, now)
                log.warning(
                    "retry id=%s queue=%s attempt=%d wait_s=%.2f", envelope.id, envelope.queue, envelope.attempt, wait
                )
                return "retried"
            final: Exception = error
            if is_retryable(error):
                final = AttemptsExhausted(str(error), attempts=envelope.attempt, cause=type(error).__name__)
            self.dead_letters.bury(lease.receipt, envelope, final, now)
            log.error(
                "buried id=%s queue=%s attempt=%d reason=%s", envelope.id, envelope.queue, envelope.attempt, final
            )
            return "buried"
        except LeaseLost:
            return "lost"

    def run(self) -> None:
        """Poll all queues in turn until stop() is called, then return."""
        while not self._stopping.is_set():
            busy = sum(self.poll_once(queue).total for queue in list(self._handlers))
            if not busy:
                self._stopping.wait(self.settings.poll_interval_s)

    def stop(self) -> None:
        """Ask run() to return after the batch it is working on; safe in a signal handler."""
        self._stopping.set()

    def drain(self) -> bool:
        """Work off what is visible now, up to the drain timeout; True if every queue went quiet."""
        self._stopping.set()
        deadline = self.clock() + self.settings.drain_timeout_s
        while self.clock() < deadline:
            if not sum(self.poll_once(queue).total for queue in list(self._handlers)):
                return True
        return False

    def close(self) -> None:
        """Stop polling and close the transport; a second call does nothing."""
        self._stopping.set()
        if not self._closed:
            self._closed = True
            self.transport.close()
