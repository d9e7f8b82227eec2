"""The index on real Chroma, tantivy and SQLite: exactly once, old or new, nothing lost."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import tantivy

from corpora import UserError
from ingest.cli import cure
from ingest.embed import open_embedder
from ingest.index import Index
from ingest.keywords import Keywords
from ingest.rebuild import rebuild_apart
from ingest.schema import Chunk, Document
from ingest.search import Searcher
from ingest.settings import Settings
from ingest.sources import meant
from ingest.vectors import Vectors, open_chroma
from tests.conftest import environment

TEXT = "The coolant pump P7 runs at 45 l/min. Its filter is changed every 500 hours."

SCHEMA_1 = """
CREATE TABLE corpora (name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, generation INTEGER NOT NULL DEFAULT 0, stamp TEXT NOT NULL);
CREATE TABLE versions (id TEXT PRIMARY KEY, corpus TEXT NOT NULL REFERENCES corpora(name), sha256 TEXT NOT NULL, parse TEXT NOT NULL,
    suffix TEXT NOT NULL, bytes INTEGER NOT NULL, title TEXT NOT NULL, lang TEXT NOT NULL, pages INTEGER, text TEXT NOT NULL,
    live INTEGER NOT NULL DEFAULT 0, added TEXT NOT NULL);
CREATE TABLE places (corpus TEXT NOT NULL, path TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, PRIMARY KEY (corpus, path));
CREATE INDEX places_version ON places(version);
CREATE TABLE chunks (version TEXT NOT NULL, ordinal INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER,
    text TEXT NOT NULL, context TEXT NOT NULL, PRIMARY KEY (version, ordinal)) WITHOUT ROWID;
PRAGMA user_version=1;
"""


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
    assert [d["document"] for d in index.remove(["fan.md"])] == ["fan.md"]
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
    document = Document("Pump", TEXT, (), None)
    stored = Chunk("dead", 0, TEXT, 0, len(TEXT), None, "")
    index.manifest.add_version("dead", "plant", "0" * 64, "some parse", docs / "pump.txt", 9, document, [stored])  # as after a kill
    assert index.manifest.dead_versions("plant") == ["dead"]
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


def test_two_writers_take_turns(settings: Settings, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Index("plant", settings), Index("plant", settings)
    with first.publisher.writing():
        monkeypatch.setattr("ingest.publish.PATIENCE", 0.2)
        with pytest.raises(UserError, match=f"process {os.getpid()}"):
            second.add([docs])
    assert status(second.add([docs])) == {"pump.txt": "added", "fan.md": "added"}


def test_a_file_that_moves_keeps_its_version_and_a_deleted_one_is_named(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    before = {d["document"]: d["version"] for d in index.documents()}
    (docs / "old").mkdir()
    (docs / "pump.txt").rename(docs / "old" / "pump-7.txt")
    (docs / "fan.md").unlink()
    assert status(index.add([docs])) == {"pump-7.txt": "renamed", "fan.md": "gone"}
    assert {d["document"]: d["version"] for d in index.documents()} == {"old/pump-7.txt": before["pump.txt"], "fan.md": before["fan.md"]}
    assert status(index.add([docs], prune=True)) == {"pump-7.txt": "unchanged", "fan.md": "removed"}
    assert index.verify() == [] and len(index.documents()) == 1
    shutil.rmtree(docs)
    assert status(index.add([docs])) == {"pump-7.txt": "gone"}
    assert status(index.add([docs], prune=True)) == {"pump-7.txt": "removed"} and index.verify() == []


def test_files_in_an_archive_are_documents_of_their_own(settings: Settings, docs: Path) -> None:
    with zipfile.ZipFile(docs / "more.zip", "w") as archive:
        archive.writestr("valves/v1.txt", "Valve V1 opens at 4 bar.")
        archive.writestr("valves/none.txt", "")
        archive.writestr("../../escaped.txt", "The escape hatch H1 opens outwards.")
    index = Index("plant", settings)
    reports = index.add([docs])
    assert status(reports) == {"pump.txt": "added", "fan.md": "added", "v1.txt": "added", "none.txt": "failed", "escaped.txt": "added"}
    assert "more.zip/valves/v1.txt" in {d["document"] for d in index.documents()}
    assert "V1" in found(settings, "at what pressure does valve V1 open")[0]
    assert not list((settings.root / "run").glob("unpacked-*")) and index.verify() == []
    assert status(index.add([docs]))["v1.txt"] == "unchanged"
    (docs / "more.zip").unlink()
    assert status(index.add([docs], prune=True))["v1.txt"] == "removed" and len(index.documents()) == 2


def test_fix_mends_what_verify_finds(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    corpus_id = index.manifest.corpus_id("plant")
    assert corpus_id
    some, other = (d["version"] for d in index.documents())
    with open_chroma(settings) as client:
        vectors = Vectors(client, corpus_id)
        vectors.add(["dead:0"], vectors.get([f"{other}:0"]))
        vectors.delete([f"{some}:0"])
    Keywords(settings.root / "keywords" / corpus_id).write([Chunk("dead", 0, "x", 0, 1, None, "")], remove_versions=[some])
    original = index.manifest.original(some)
    assert original
    original.write_text("altered")
    assert len(index.verify()) == 5
    assert index.verify(fix=True) == [] and index.verify() == []
    index.manifest.db.execute("UPDATE chunks SET text = 'other' WHERE version = ?", (some,))
    assert len(index.verify(fix=True)) == 1, "a text comes back from its file alone"
    assert sorted(status(index.add([docs])).values()) == ["unchanged", "updated"] and index.verify() == []
    assert original.read_bytes() in {f.read_bytes() for f in docs.iterdir()}


def test_fix_mends_what_no_write_of_ours_leaves(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    corpus_id, db = index.manifest.corpus_id("plant"), index.manifest.db
    some, other = index.documents()
    twice = Keywords(settings.root / "keywords" / str(corpus_id))
    writer = twice.index.writer()
    writer.add_document(tantivy.Document.from_dict({"id": [f"{other['version']}:0"], "version": [other["version"]]}, twice.schema))
    writer.commit()
    writer.wait_merging_threads()
    for name in ("0" * 64, f"{'1' * 64}.part"):
        (settings.root / "files" / name).write_text("stray")
    db.execute("DELETE FROM places WHERE path = ?", (some["path"],))
    db.execute("INSERT INTO places VALUES ('plant', '/gone.md', 'gone.md', 'nothing', 1, 1, 1)")
    said = index.verify()
    assert len(said) == 4 and "the version of /gone.md is missing" in said and "2 kept originals belong to no version" in said
    assert index.verify(fix=True) == ["the version of /gone.md is missing"]
    assert len(list((settings.root / "files").iterdir())) == 1 and some["version"] not in {d["version"] for d in index.documents()}


def test_other_bytes_of_the_same_size_and_date_are_seen(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    before = (docs / "pump.txt").stat()
    (docs / "pump.txt").write_text(TEXT.replace("45", "54"))
    os.utime(docs / "pump.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert status(index.add([docs]))["pump.txt"] == "updated" and "54 l/min" in found(settings, "coolant pump P7")[0]


def test_what_is_left_out_is_said(settings: Settings, docs: Path, tmp_path: Path) -> None:
    (docs / "logo.gif").write_bytes(b"GIF89a")
    (tmp_path / "elsewhere").mkdir()
    (docs / "linked").symlink_to(tmp_path / "elsewhere")
    with zipfile.ZipFile(docs / "more.zip", "w") as archive:
        archive.writestr("v1.txt", "Valve V1 opens at 7 bar.")
        archive.writestr("mail.msg", "x")
    index = Index("plant", settings)
    reports = index.add([docs])
    assert {Path(r.path).name: r.reason for r in reports if r.status == "skipped"} == {
        "logo.gif": "No reader takes .gif.", "mail.msg": "No reader takes .msg.", "linked": "It is a link to a folder. Add that folder.",
    }  # fmt: skip
    (docs / "fan.md").unlink()
    (docs / "fan.md").mkdir()
    assert status(index.add([docs], prune=True))["fan.md"] == "removed", "a folder in a file's place is no file"


def test_prune_removes_nothing_where_it_did_not_look(settings: Settings, docs: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "m1.txt").write_text("Motor M1 draws 4 A.")
    (docs / "linked").symlink_to(tmp_path / "store")
    (docs / "new!").mkdir()
    (docs / "new!" / "f9.txt").write_text("Fuse F9 is rated 10 A.")
    index = Index("plant", settings)
    index.add([docs])
    index.add([docs / "linked"])
    shutil.copy(docs / "new!" / "f9.txt", docs / "copy.txt")
    assert status(index.add([docs], prune=True)) == {
        "pump.txt": "unchanged", "fan.md": "unchanged", "f9.txt": "unchanged", "copy.txt": "added", "linked": "skipped"}  # fmt: skip
    assert len(index.documents()) == 5


def test_an_archive_in_which_nothing_is_left_to_read_holds_no_documents(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    for name in ("v1.txt", "v1.bin"):
        with zipfile.ZipFile(docs / "more.zip", "w") as archive:
            archive.writestr(name, "Valve V1 opens at 7 bar.")
        index.add([docs], prune=True)
    assert {d["document"] for d in index.documents()} == {"pump.txt", "fan.md"}


@pytest.mark.parametrize("part", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_model_is_a_sentence(settings: Settings, docs: Path, tmp_path: Path, part: str) -> None:
    name = open_embedder(settings).name
    folder = tmp_path / "models"
    sound = folder.resolve() / name
    folder.unlink()
    shutil.copytree(sound, folder / name, symlinks=False)
    (folder / name / part).write_bytes(b"{}")
    with pytest.raises(UserError, match=r"embedding model .* is damaged"):
        Index("plant", settings).add([docs])


def test_a_reader_that_hangs_is_stopped_and_its_file_reported(
    settings: Settings, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.parse.SILENCE", 0.0)  # every reader is too slow
    index = Index("plant", settings)
    reports = index.add([docs])
    assert {r.status for r in reports} == {"failed"} and all("stopped" in r.reason and r.seconds > 0 for r in reports)
    monkeypatch.undo()
    assert set(status(index.add([docs])).values()) == {"added"}


def test_redacted_once_stays_redacted(settings: Settings, docs: Path) -> None:
    (docs / "call.txt").write_text("Call the fitter: fitter@example.org, about pump P9.")
    index = Index("plant", settings)
    (report,) = index.add([docs / "call.txt"], redact=True)
    assert report.redacted and sum(report.redacted.values()) == 1
    assert not list((settings.root / "files").glob("*")), "the original holds what was taken out"
    assert status(index.add([docs / "call.txt"])) == {"call.txt": "unchanged"} and index.verify() == []
    (docs / "call.txt").rename(docs / "fitter.txt")
    assert status(index.add([docs / "fitter.txt"])) == {"fitter.txt": "renamed"}
    assert not any(b"fitter@" in f.read_bytes() for f in settings.root.rglob("*") if f.is_file() and "in" not in f.parts)


def test_an_index_of_the_first_schema_opens_and_names_the_command(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    index.manifest.close()
    file = settings.root / "manifest.sqlite3"
    file.rename(settings.root / "new.sqlite3")
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.executescript(SCHEMA_1)
        db.execute("ATTACH ? AS new", (str(settings.root / "new.sqlite3"),))
        for table in ("corpora", "versions", "places", "chunks"):
            columns = ", ".join(f'"{row[1]}"' for row in db.execute(f"PRAGMA main.table_info({table})"))
            db.execute(f"INSERT INTO {table} SELECT {columns} FROM new.{table}")
        db.execute("UPDATE versions SET parse = 'reader 1'")
        db.execute("UPDATE corpora SET stamp = ?", ('{"dimension": 384, "embedder": "all-MiniLM-L6-v2", "schema": 1, "tokens": "0"}',))
    again = Index("plant", settings)
    assert len(again.documents()) == 2
    with pytest.raises(UserError, match="ingest rebuild plant"):
        again.add([docs])
    again.rebuild()
    assert status(again.add([docs])) == {"pump.txt": "updated", "fan.md": "updated"} and again.verify() == []


def test_what_a_killed_rebuild_left_goes_with_the_next(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    index.manifest.begin_rebuild("plant", "halfdone")
    with open_chroma(settings) as client:
        Vectors(client, "halfdone")
    Keywords(settings.root / "keywords" / "halfdone")
    index.rebuild()
    with open_chroma(settings) as client:
        assert [c.name for c in client.list_collections()] == [f"c-{index.manifest.corpus_id('plant')}"]
    assert [f.name for f in (settings.root / "keywords").iterdir()] == [index.manifest.corpus_id("plant")]


def test_what_the_index_was_before_a_killed_rebuild_goes_too(settings: Settings, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index("plant", settings)
    index.add([docs])
    with monkeypatch.context() as patch:
        patch.setattr(Vectors, "drop", killed)
        with pytest.raises(KeyboardInterrupt):
            index.rebuild()
    index.rebuild()
    with open_chroma(settings) as client:
        assert [c.name for c in client.list_collections()] == [f"c-{index.manifest.corpus_id('plant')}"]
    assert [f.name for f in (settings.root / "keywords").iterdir()] == [index.manifest.corpus_id("plant")]


def killed(_: object) -> None:
    raise KeyboardInterrupt


def test_vectors_that_are_taken_over_keep_the_name_of_their_model(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs])
    rebuild_apart("plant", settings, index.stamp | {"embedder": "another", "dimension": 1024})
    assert index.manifest.stamp("plant") == index.stamp


def test_verify_sees_a_lost_vector_a_lost_keyword_and_an_altered_original(settings: Settings, docs: Path) -> None:
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


def test_the_same_bytes_under_names_that_cut_them_otherwise_leave_nothing_behind(settings: Settings, docs: Path) -> None:
    text = "The pump P7 is opened, cleaned, closed and tried for leaks by two fitters. " * 400
    for name in ("a", "a name that goes before each chunk of the text and leaves it less room " * 2, "b"):
        (docs / f"{name}.txt").write_text(text)
    index = Index("plant", settings)
    assert set(status(index.add([docs])).values()) == {"added"} and index.verify() == []


def test_a_file_that_goes_while_it_is_read_is_reported(settings: Settings, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index("plant", settings)
    encode = index.embedder.encode

    def gone(texts: list[str]) -> object:
        (docs / "pump.txt").unlink(missing_ok=True)
        return encode(texts)

    monkeypatch.setattr(index.embedder, "encode", gone)
    reports = index.add([docs])
    assert status(reports) == {"pump.txt": "failed", "fan.md": "added"} and index.verify() == []
    assert "went away" in next(r.reason for r in reports if r.status == "failed")


def test_redacted_later_nothing_in_clear_is_left(settings: Settings, docs: Path) -> None:
    (docs / "call.txt").write_text("Call the fitter: fitter@example.org, about pump P9.")
    index = Index("plant", settings)
    index.add([docs])
    assert status(index.add([docs / "call.txt"], redact=True)) == {"call.txt": "updated"}
    index.manifest.close()
    assert not any(b"fitter@" in f.read_bytes() for f in settings.root.rglob("*") if f.is_file() and "in" not in f.parts)


def test_what_stops_the_process_that_writes_the_index_anew_is_told_here(settings: Settings, docs: Path) -> None:
    Index("plant", settings).add([docs])
    elsewhere = settings.model_copy(update={"chroma_url": "http://127.0.0.1:9"})
    with pytest.raises(UserError, match="Chroma does not answer"):
        rebuild_apart("plant", elsewhere, Index("plant", settings).stamp)


def test_what_left_an_archive_is_gone_and_a_damaged_one_keeps_what_it_had(settings: Settings, docs: Path) -> None:
    def pack(*names: str) -> None:
        with zipfile.ZipFile(docs / "all.zip", "w") as archive:
            for name in names:
                archive.writestr(name, f"# {name}\n\nThe valve {name} closes at 4 bar.")

    pack("a.md", "b.md")
    index = Index("plant", settings)
    index.add([docs])
    pack("a.md")
    assert status(index.add([docs]))["b.md"] == "gone"
    assert status(index.add([docs], prune=True))["b.md"] == "removed"
    (docs / "all.zip").write_bytes(b"PK\3\4 no archive")
    assert status(index.add([docs], prune=True))["all.zip"] == "failed"
    assert "all.zip/a.md" in {d["document"] for d in index.documents()}


def test_one_file_has_one_place_however_it_is_named(settings: Settings, docs: Path) -> None:
    index = Index("plant", settings)
    index.add([docs / "pump.txt"])
    (docs.parent / "linked").symlink_to(docs)
    for path in (docs / ".." / "documents" / "pump.txt", docs.parent / "linked" / "pump.txt"):
        assert status(index.add([path])) == {"pump.txt": "unchanged"}


def test_documents_are_meant_by_any_name_that_was_shown(settings: Settings, docs: Path) -> None:
    with zipfile.ZipFile(docs / "all.zip", "w") as archive:
        for name in ("a.md", "sub/b.md"):
            archive.writestr(name, f"# {name}\n\nThe valve {name} closes at 4 bar.")
    index = Index("plant", settings)
    index.add([docs])
    rows = index.documents()
    for given in ("fan.md", str(docs / "fan.md"), str(docs / ".." / "documents" / "fan.md")):
        assert [d["document"] for d in meant(rows, given)] == ["fan.md"]
    for given in ("all.zip!/sub/b.md", "all.zip/sub/b.md", "b.md", f"{docs}/all.zip!/sub/b.md", "*/b.md"):
        assert [d["document"] for d in meant(rows, given)] == ["all.zip/sub/b.md"], given
    assert meant(rows, "") == meant(rows, "nothing") == meant(rows, "a\0b") == []
    assert sorted(d["document"] for d in index.remove(["all.zip"])) == ["all.zip/a.md", "all.zip/sub/b.md"]
    assert {d["document"] for d in index.remove([str(docs)])} == {"pump.txt", "fan.md"} and index.verify() == []
