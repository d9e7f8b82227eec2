"""Long work says so on stderr, and never on stdout, which is the result's."""

import sys
import time

import pytest

from ingest import console


def test_a_wait_is_told_once_it_is_long(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "PATIENCE", 0.05)
    with console.waiting("Loading"):
        time.sleep(0.3)
    with console.waiting("Quick"):
        pass
    with console.waiting("Hidden", quiet=True):
        time.sleep(0.2)
    time.sleep(0.1)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Loading …\n")


def test_progress_is_a_line_now_and_then_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "EVERY", 0.0)
    with console.progress("Indexing", 1) as advance:
        advance(0.5, "1 of 2 files")
    with console.progress("Hidden", 1, quiet=True) as advance:
        advance(1, "unseen")
    assert not sys.stderr.isatty()
    assert capsys.readouterr() == ("", "Indexing: 1 of 2 files\n")
