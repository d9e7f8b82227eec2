"""The index on real Chroma, tantivy and SQLite: exactly once, old or new, nothing lost."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora import UserError
from ingest.cli import cure
from ingest.index import Index
from ingest.search import Searcher
from ingest.settings import Settings
from tests.conftest import environment

TEXT = "The coolant pump P7 runs at 45 l/min. Its filter is changed every 500 hours."


@pytest.fixture
def settings(home: Path, tmp_path: Path) -> Settings:
    (tmp_path / "models").symlink_to(home / "models")
    profile = tmp_path / "corpora" / "plant" / "profile.yaml"
    profile.parent.mkdir(parents=True)
    profile.write_text("title: Plant\ndescription: d\nlanguages: [en]\n")
    return Settings(home=tmp_path, chroma_url="")


@pytest.fixture
def docs(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "in" / "documents"
    folder.mkdir(parents=True)
    (folder / "pump.txt").write_text(TEXT)
    (folder / "fan.md").write_text("# Fan\n\nThe fan F3 turns at 900 rpm.")
    yield folder


def status(reports: list) -> dict[str, str]:  # type: ignore[type-arg]
    return {Path(r.path).name: r.status for r in reports}


def found(settings: Settings, query: str) -> list[str]:
    with Searcher(settings) as searcher:
        return [h.chunk.text.strip() for h in searcher.search("plant", query, 3)]


def test_added_then_unchanged_then_updated_then_removed(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    assert status(index.add([docs])) == {"pump.txt": "added", "fan.md": "added"}
    assert status(index.add([docs])) == {"pump.txt": "unchanged", "fan.md": "unchanged"}
    before = index.documents()
    (docs / "pump.txt").write_text(TEXT.replace("45 l/min", "60 l/min"))
    assert status(index.add([docs])) == {"pump.txt": "updated", "fan.md": "unchanged"}
    assert "60 l/min" in found(settings, "coolant pump P7")[0]
    assert not any("45 l/min" in text for text in found(settings, "45 l/min"))
    assert index.verify() == []
    assert len(list((settings.root / "files").iterdir())) == 2, "the old original is swept"
    assert {d["document"] for d in before} == {d["document"] for d in index.documents()}
    assert index.remove(["fan.md"]) == ["fan.md"]
    assert index.verify() == [] and [d["document"] for d in index.documents()] == ["pump.txt"]


def test_a_touched_file_is_unchanged(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    os.utime(docs / "pump.txt", (1, 1))
    assert status(index.add([docs]))["pump.txt"] == "unchanged"


def test_a_file_that_takes_anothers_bytes_sweeps_nothing_that_is_still_to_be_published(settings: Settings, docs: Path) -> None:
    for name, rpm in (("a", 11), ("b", 22), ("c", 33)):
        (docs / f"{name}.txt").write_text(f"The {name} shaft turns at {rpm} rpm.")
    index = Index("plant", settings)
    index.add([docs])
    (docs / "a.txt").write_text("The a shaft turns at 12 rpm now.")
    (docs / "b.txt").write_bytes((docs / "c.txt").read_bytes())
    (docs / "d.txt").write_bytes((docs / "c.txt").read_bytes())
    report = status(index.add([docs]))
    assert (report["a.txt"], report["b.txt"], report["c.txt"], report["d.txt"]) == ("updated", "updated", "unchanged", "added")
    assert {Path(d["path"]).name for d in index.documents()} == {"a.txt", "b.txt", "c.txt", "d.txt", "pump.txt", "fan.md"}
    assert "12 rpm now" in found(settings, "a shaft turns 12 rpm")[0]
    assert index.verify() == [] and index.manifest.dead_versions("plant") == []


def test_the_same_bytes_in_two_places_are_one_version(settings: Settings, docs: Path) -> None:
    (docs / "copy.txt").write_text(TEXT)
    index = Index("plant", settings)
    index.add([docs])
    versions = {d["document"]: d["version"] for d in index.documents()}
    assert versions["copy.txt"] == versions["pump.txt"]
    index.remove(["pump.txt"])
    assert "P7" in found(settings, "coolant pump P7")[0], "the other place still holds it"
    assert index.verify() == []


def test_prune_forgets_deleted_files(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    (docs / "fan.md").unlink()
    index.add([docs])
    assert len(index.documents()) == 2, "without --prune nothing goes"
    index.add([docs], prune=True)
    assert [d["document"] for d in index.documents()] == ["pump.txt"] and index.verify() == []


def test_a_file_that_breaks_keeps_its_old_version(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    (docs / "pump.txt").write_bytes(b"\0\1\2" * 100)
    reports = index.add([docs])
    assert status(reports) == {"pump.txt": "failed", "fan.md": "unchanged"}
    assert "P7" in found(settings, "coolant pump P7")[0]


def test_what_a_crash_left_is_swept(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs / "fan.md"])
    corpus_id = index.manifest.corpus_id("plant")
    assert corpus_id
    from ingest.sources import Source

    parsed = index._parse(Source(docs / "pump.txt", "pump.txt"))  # stored, never published: as after a kill
    assert index.manifest.dead_versions("plant") == [parsed.version]  # type: ignore[union-attr]
    assert found(settings, "coolant pump P7") == found(settings, "fan F3")[:1], "what is not live is not found"
    assert status(Index("plant", settings).add([docs])) == {"pump.txt": "added", "fan.md": "unchanged"}
    assert index.verify() == [] and index.manifest.dead_versions("plant") == []


def test_kill_during_ingest_then_again_is_whole(settings: Settings, docs: Path) -> None:
    for n in range(60):
        (docs / f"note-{n}.txt").write_text(f"Note {n}. Valve V{n} opens at {n} bar. " * 20)
    command = [sys.executable, "-m", "ingest", "add", "plant", str(docs)]
    process = subprocess.Popen(
        command, env=environment(settings.root), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    manifest = settings.root / "manifest.sqlite3"
    deadline = time.monotonic() + 60
    while not manifest.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    index = Index("plant", settings)
    index.add([docs])
    assert len(index.documents()) == 62 and index.verify() == []


def test_rebuild_gives_the_same_hits(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    before = found(settings, "how fast does the fan turn")
    assert index.rebuild() == sum(d["chunks"] for d in index.documents())
    assert found(settings, "how fast does the fan turn") == before and index.verify() == []


def test_another_embedder_stops_with_the_mending_command(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    index.manifest.db.execute("UPDATE corpora SET stamp = replace(stamp, 'MiniLM', 'OtherLM')")
    with pytest.raises(UserError, match="ingest rebuild plant"):
        Index("plant", settings).add([docs])
    index.rebuild()
    assert status(Index("plant", settings).add([docs])) == {"pump.txt": "unchanged", "fan.md": "unchanged"}


def test_two_writers_do_not_meet(settings: Settings, docs: Path) -> None:
    first, second = Index("plant", settings), Index("plant", settings)
    with first._writing(), pytest.raises(UserError, match=f"process {os.getpid()}"):
        second.add([docs])


def test_verify_sees_a_lost_vector_a_lost_keyword_and_an_altered_original(settings: Settings, docs: Path) -> None:
    from ingest.keywords import Keywords
    from ingest.vectors import Vectors, open_chroma

    index = Index("plant", settings)
    index.add([docs])
    corpus_id = index.manifest.corpus_id("plant")
    assert corpus_id
    some = index.documents()[0]["version"]
    with open_chroma(settings) as client:
        Vectors(client, corpus_id).delete([f"{some}:0"])
    Keywords(settings.root / "keywords" / corpus_id).write(remove_versions=[some])
    original = index.manifest.original(some)
    assert original
    original.write_text("altered")
    said = " ".join(index.verify())
    assert "vector" in said and "keyword" in said and "original" in said


def test_a_lost_original_is_kept_again_by_adding_its_file(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    shutil.rmtree(settings.root / "files")
    assert len(index.verify()) == 2 and all("original" in wrong for wrong in index.verify())
    assert cure("plant", index.verify()) == "ingest add plant PATH of the files"
    index.add([docs])
    assert index.verify() == []


def test_damaged_keywords_are_a_sentence_and_rebuild_mends_them(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    (meta,) = (settings.root / "keywords").glob("*/meta.json")
    meta.write_bytes(b"\0garbage")
    with pytest.raises(UserError, match=r"damaged.*ingest rebuild"):
        found(settings, "coolant pump P7")
    index.rebuild()
    assert "P7" in found(settings, "coolant pump P7")[0] and index.verify() == []
