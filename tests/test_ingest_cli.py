"""The command `ingest` as people and scripts call it: shapes, exit codes, sentences."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ingest.report import Progress, summary
from ingest.schema import FileReport
from tests.conftest import ROOT, environment


def run(home: Path, *arguments: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ingest", *arguments], env=environment(home), cwd=ROOT, capture_output=True,
                          text=True, timeout=120, check=False, **kwargs)  # type: ignore[call-overload,no-any-return]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "maintenance", "/no/such/file.pdf"], "does not exist"),
        (["add", "legall", "."], "No corpus 'legall'. Known: code, legal, maintenance, official"),
        (["search", "legal", "x" * 50_000], "50,000 characters"),
        (["search", "legal", "x", "-k", "0"], "between 1 and 1000"),
        (["search", "legal", "x", "--document", "nothing.md"], "No document 'nothing.md' in legal"),
        (["show", "legal", "nothing.md"], "No document"),
        (["remove", "legal", "nothing.md"], "No document"),
        (["init", "No Name"], "no name for a corpus"),
        (["init", "legal"], "There is a corpus legal already"),
        (["list", "../legal"], "No corpus"),
        (["add", "legal", ""], "path is empty"),
        (["add", "legal", "x" * 5000], "too long"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(indexed: Path, arguments: list[str], says: str) -> None:
    done = run(indexed, *arguments)
    assert done.returncode == 2 and says in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_add_lists_failures_exits_1_and_keeps_the_rest(indexed: Path, tmp_path: Path) -> None:
    assert run(indexed, "init", "mixed").returncode == 0
    (tmp_path / "good.txt").write_text("Valve V9 opens at 4 bar.")
    (tmp_path / "bad.pdf").write_bytes(b"not a pdf")
    (tmp_path / "empty.txt").write_bytes(b"")
    done = run(indexed, "add", "mixed", str(tmp_path), "--json")
    assert done.returncode == 1, done.stderr
    files = {Path(f["path"]).name: f for f in json.loads(done.stdout)["files"]}
    assert set(files["good.txt"]) >= {"path", "status", "reason", "pages", "chunks"}
    assert (
        files["good.txt"]["status"] == "added"
        and files["bad.pdf"]["status"] == files["empty.txt"]["status"] == "failed"
    )
    assert files["bad.pdf"]["reason"] and run(indexed, "verify", "mixed").returncode == 0


def test_search_json_has_the_promised_shape(indexed: Path) -> None:
    hits = json.loads(run(indexed, "search", "maintenance", "SC-A04", "-k", "3", "--json").stdout)
    assert len(hits) == 3
    lease = "kestrel-point-equipment-lease.md"
    some = json.loads(run(indexed, "search", "legal", "notice period", "--document", lease, "--json").stdout)
    assert {h["document"] for h in some} == {lease}
    assert set(hits[0]) == {"rank", "score", "chunk_id", "document", "page", "start", "end", "text"}
    shown = run(indexed, "show", "maintenance", hits[0]["document"], "--text").stdout
    assert shown[hits[0]["start"] : hits[0]["end"]] == hits[0]["text"]


def test_help_is_cheap(indexed: Path) -> None:
    code = (
        "import sys; from ingest.cli import make_parser; make_parser().format_help();"
        "print([m for m in ('torch', 'chromadb', 'transformers', 'langchain_core', 'tantivy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_full_disk_is_a_sentence_and_loses_nothing(indexed: Path, tmp_path: Path) -> None:
    """A file size limit stops every write past 200 kB, as a full disk does."""
    home = tmp_path / "home"
    shutil.copytree(indexed, home, symlinks=True)
    before = run(home, "list", "maintenance", "--json").stdout
    (tmp_path / "big.txt").write_text("The boiler B4 holds 900 litres of water at 6 bar. " * 5_000)
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
        f"from ingest.cli import main; sys.exit(main(['add', 'maintenance', {str(tmp_path / 'big.txt')!r}]))"
    )
    command = [sys.executable, "-c", limited]
    done = subprocess.run(
        command, env=environment(home), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "disk" in done.stderr.lower()
    assert run(home, "list", "maintenance", "--json").stdout == before
    assert run(home, "verify", "maintenance").returncode == 0


def test_odd_files_fail_alone(indexed: Path, tmp_path: Path) -> None:
    """A pipe, a link to itself and a name that is no UTF-8 are listed; the file beside them is indexed."""
    run(indexed, "init", "odd")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff.txt")).write_text("Unnamed.")
    (tmp_path / "good.txt").write_text("Valve V8 opens at 5 bar.")
    done = run(indexed, "add", "odd", str(tmp_path), "--json")
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    files = json.loads(done.stdout)["files"]
    assert sorted(f["status"] for f in files) == ["added", "failed", "failed", "failed"]
    assert sum("name is no UTF-8" in f["reason"] for f in files) == 1


def test_a_broken_profile_hides_no_other_corpus(indexed: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(indexed, home, symlinks=True)
    (home / "corpora" / "broken").mkdir()
    (home / "corpora" / "broken" / "profile.yaml").write_text("1: a\n")
    done = run(home, "list")
    assert done.returncode == 1 and "maintenance" in done.stdout and "broken" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("LECTERN_API_PORT", "99999", "API_PORT"), ("LECTERN_HOME", "README.md", "disk did not take it")],
)
def test_wrong_settings_are_a_sentence(indexed: Path, name: str, value: str, says: str) -> None:
    command = [sys.executable, "-m", "ingest", "list"]
    env = {**environment(indexed), name: value}
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_a_name_too_long_for_the_file_system_is_a_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, "add", "legal", "a" * 300 + ".md")
    assert done.returncode == 2 and "too long" in done.stderr and "Traceback" not in done.stderr


def test_words_that_are_no_utf8_are_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "serve", "key", "create", b"a\xff"], env=environment(tmp_path), cwd=ROOT,
                          capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 2 and "UTF-8" in done.stderr and "Traceback" not in done.stderr


def test_a_damaged_manifest_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "manifest.sqlite3").write_bytes(b"not a database at all" * 400)
    done = run(tmp_path, "list")
    assert done.returncode == 2 and "damaged" in done.stderr and "Traceback" not in done.stderr


def test_what_is_erased_is_in_no_file_any_more(indexed: Path, tmp_path: Path) -> None:
    home, files = tmp_path / "home", tmp_path / "files"
    files.mkdir()
    home.mkdir()
    (home / "models").symlink_to((indexed / "models").resolve())
    assert run(home, "init", "letters").returncode == 0
    secret, kept = "Quillfeather owes 4711 crowns", "The harbour opens at six"
    (files / "debt.txt").write_text(f"{secret}, payable in May.")
    (files / "port.txt").write_text(f"{kept}.")
    assert run(home, "add", "letters", str(files)).returncode == 0
    held = [f for f in home.rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]
    assert len(held) >= 2, "the manifest or its log, and the original"
    done = run(home, "remove", "letters", "files/debt.txt", "--erase")
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "still there" in done.stderr and str(files / "debt.txt") in done.stderr
    words = (secret.encode(), b"quillfeath")  # the keyword index holds words by their stems
    assert not [f for f in home.rglob("*") if f.is_file() and any(w in f.read_bytes() for w in words)]
    assert kept in run(home, "search", "letters", "when does the harbour open").stdout
    assert run(home, "verify", "letters").returncode == 0


def test_the_time_left_is_told_once_it_can_be_known() -> None:
    said: list[str] = []
    progress = Progress(lambda _, note: said.append(note))
    for done in range(1, 21):
        progress.file(FileReport(f"/in/{done}.txt", "added", chunks=3), done, 20)
    assert "left" not in said[0] and "1/20 files" in said[0] and all("left" in note for note in said[1:])
    skipped = [FileReport(path, "skipped", "No reader takes .gif.") for path in ("/a.gif", "/b.gif")]
    assert list(summary("x", skipped)) == ["skipped   /a.gif and 1 more  No reader takes .gif.", "x: 2 skipped."]


def test_watch_indexes_what_comes_and_ends_with_ctrl_c(indexed: Path, tmp_path: Path) -> None:
    assert run(indexed, "init", "watched").returncode == 0
    (tmp_path / "one.txt").write_text("Valve W1 opens at 1 bar.")
    command = [sys.executable, "-m", "ingest", "add", "watched", str(tmp_path), "--watch"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment(indexed), cwd=ROOT, **pipes) as watching:  # type: ignore[call-overload]
        assert watching.stdout and watching.stderr
        line = ""
        while "Watching" not in line:
            line = watching.stderr.readline()
            assert line, "it ended before it watched"
        deadline = time.monotonic() + 60
        while "two.txt" not in run(indexed, "list", "watched").stdout and time.monotonic() < deadline:
            # the watcher may only be about to look when the file comes
            (tmp_path / "two.txt").write_text(f"Valve W2 opens at 2 bar, seen at {time.monotonic()}.")
            time.sleep(0.5)
        watching.send_signal(signal.SIGINT)
        said = watching.stdout.read()
        assert watching.wait(30) == 130 and "two.txt" in said
