"""Progress of a training: a line of log.jsonl and a word to the person for each step; Ctrl-C stops after the step with a checkpoint."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tune import processes
from tune.run import Run
from tune.talk import Advance, Talk


class Progress(TrainerCallback):
    """Watches one training. `stopped` is true once it was asked to end early."""

    def __init__(self, run: Run, tokens_per_row: float, talk: Talk) -> None:
        self.run, self.talk = run, talk
        self.advance: Advance = lambda n, note: None  # the bar's, once it is open
        self.tokens_per_step = tokens_per_row * run.plan.per_step
        self.stopped = False
        self.loss = 0.0
        self._begun = self._last = 0.0
        self._first = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._begun = self._last = time.monotonic()
        self._first = state.global_step
        if self._first:
            self.advance(self._first, "done before")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.stopped = processes.any_of_them(self.stopped)
        if self.stopped:
            control.should_save = control.should_training_stop = True

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
               logs: dict[str, Any] | None = None, **_: Any) -> None:  # fmt: skip
        if not state.is_world_process_zero:
            return
        if logs and "eval_loss" in logs:
            held = round(float(logs["eval_loss"]), 4)
            self.run.note(step=state.global_step, validation=held)
            self.talk.say(f"Step {state.global_step}: loss {held:.3f} on the rows held back")
            self._last = time.monotonic()  # no step's time
        if not logs or "loss" not in logs:
            return
        now = time.monotonic()
        took, self._last = now - self._last, now
        self.loss = float(logs["loss"])
        left = (now - self._begun) / (state.global_step - self._first) * (state.max_steps - state.global_step)
        speed = self.tokens_per_step / took
        about = {name: round(float(logs[name]), 4) for name in ("rewards/accuracies", "mean_token_accuracy") if name in logs}
        self.run.note(step=state.global_step, of=state.max_steps, loss=round(self.loss, 4), lr=logs.get("learning_rate"),
                      seconds=round(took, 2), tokens_per_second=round(speed, 1), seconds_left=round(left), **about)  # fmt: skip
        self.advance(1, f"loss {self.loss:.3f}, {speed:.0f} tokens/s, {duration(left)} left")

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """While the body runs, the first Ctrl-C (or SIGINT of a cancelled job) only asks it to stop."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def stop(number: int, frame: FrameType | None) -> None:
            if self.stopped:
                raise KeyboardInterrupt
            self.stopped = True
            self.talk.say("Stopping after this step, with a checkpoint. Ctrl-C again stops at once.")

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
