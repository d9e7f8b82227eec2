"""Files attached to a conversation, through the gateway on a real index: searched and cited there alone, and gone with it."""

import io
import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from reportlab.pdfgen.canvas import Canvas

from ingest.index import Index
from ingest.manifest import Manifest
from ingest.settings import Settings
from serve.api import create_app
from serve.attached import MOST
from serve.feedback import pairs
from serve.journal import Journal
from tests.conftest import copy
from tests.echo import MODEL, echo

PROFILE = "title: Pumps\ndescription: Pumps.\nlanguages: [en, zh]\nserve:\n  mode: extractive\n"
MANUAL = "# P-30 pump\n\nCheck the oil level of the P-30 every week.\n\nTighten the flange bolts of the P-30 to 35 Nm in two passes.\n"
NOTE = "# Visit report\n\nThe gearbox Zephyrine was found to leak at the north flange and lost 12 litres of oil in May.\n"
QUESTION = "How many litres of oil did the gearbox Zephyrine lose?"


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    own = tmp_path_factory.mktemp("attach")
    copy(home / "models", own / "models")
    for name, profile in (("pumps", PROFILE), ("empty", PROFILE), ("written", PROFILE.replace("extractive", "model"))):
        (own / "corpora" / name / "documents").mkdir(parents=True)
        (own / "corpora" / name / "profile.yaml").write_text(profile)
        (own / "corpora" / name / "documents" / "p-30.md").write_text(MANUAL)
    settings = Settings(home=own, vllm_port=1, chroma_url="", tier="cpu")
    for name in ("pumps", "written"):
        assert [r.status for r in Index(name, settings).add([own / "corpora" / name / "documents"])] == ["added"]
    return settings


class Person:
    """A client with a key of its own."""

    def __init__(self, client: TestClient, journal: Journal, name: str) -> None:
        self.client, key = client, journal.create_key(name)
        self.headers, self.id = {"Authorization": f"Bearer {key}"}, str(journal.check_key(key))

    def call(self, method: str, path: str, **rest: Any) -> Any:
        return self.client.request(method, path, headers=self.headers, **rest)

    def attach(self, conversation: str, text: str | bytes = NOTE, name: str = "report.md") -> Any:
        data = text.encode() if isinstance(text, str) else text
        return self.call("POST", f"/v1/conversations/{conversation}/files", files={"file": (name, io.BytesIO(data))})

    def ask(self, question: str, conversation: str, model: str = "pumps") -> Any:
        said = [{"role": "user", "content": question}]
        return self.call("POST", "/v1/chat/completions", json={"model": model, "messages": said, "conversation": conversation}).json()


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def journal(settings: Settings) -> Journal:
    return Journal(settings.root)


@pytest.fixture
def person(client: TestClient, journal: Journal) -> Person:
    return Person(client, journal, "ann")


def cited(answer: Any) -> set[str]:
    return {c["document"] for c in answer["citations"]}


def on_disk(folder: Path, word: str) -> list[Path]:
    """The files below `folder` that hold `word`."""
    return [file for file in folder.rglob("*") if file.is_file() and word.encode() in file.read_bytes()]


def test_a_file_is_cited_in_its_conversation_and_nowhere_else(
    person: Person, client: TestClient, journal: Journal, settings: Settings
) -> None:
    conversation, other = uuid4().hex, uuid4().hex
    row = person.attach(conversation).json()["file"]
    assert row["document"] == "report.md" and row["title"] == "Visit report" and row["chunks"] == 1
    answer = person.ask(QUESTION, conversation)
    assert answer["citations"][0]["document"] == "report.md" and "12 litres" in answer["choices"][0]["message"]["content"]
    assert cited(person.ask("How tight are the flange bolts of the P-30?", conversation)) == {"p-30.md"}, "the corpus is searched beside it"

    for someone, where in ((person, other), (Person(client, journal, "bob"), conversation)):
        answer = someone.ask(QUESTION, where)
        assert "report.md" not in cited(answer) and "12 litres" not in str(answer)
        trace = journal.trace(answer["trace_id"])
        assert trace and "Zephyrine" not in str(trace.hits)
    assert [d["document"] for d in Manifest(settings.root).documents("pumps")] == ["p-30.md"]
    assert Manifest(settings.root).indexed_corpora() == ["pumps", "written"]
    assert not on_disk(settings.root / "keywords", "zephyrin") and not on_disk(settings.root / "chroma", "Zephyrine")
    assert not list((settings.root / "attached").glob("*/run/in/*")), "the upload itself is kept once, under its hash"


def test_its_citations_open_for_its_key_alone(person: Person, client: TestClient, journal: Journal) -> None:
    sheet = io.BytesIO()
    canvas = Canvas(sheet)
    canvas.drawString(72, 700, "The Quillfeather valve is set to 7 bar at the works and must not be changed on site.")
    canvas.save()
    conversation = uuid4().hex
    assert person.attach(conversation, sheet.getvalue(), "valve.pdf").status_code == 201
    (citation,) = person.ask("To how many bar is the Quillfeather valve set?", conversation)["citations"]
    place = f"/v1/conversations/{conversation}/files/{citation['version']}"
    where = {"start": citation["start"], "end": citation["end"]}
    passage = person.call("GET", f"{place}/passage", params=where).json()
    assert passage["quote"] == citation["quote"] and "7 bar" in passage["quote"] and passage["has_page_image"]
    assert person.call("GET", f"{place}/pages/1.png", params=where).content.startswith(b"\x89PNG")
    bob = Person(client, journal, "bob")
    assert bob.call("GET", f"{place}/passage", params=where).status_code == 404
    assert person.call("GET", f"/v1/corpora/pumps/versions/{citation['version']}/passage", params=where).status_code == 404


def test_it_goes_with_its_conversation(person: Person, client: TestClient, journal: Journal, settings: Settings) -> None:
    conversation = uuid4().hex
    person.attach(conversation, NOTE.replace("Zephyrine", "Marrowgate"))
    assert person.call("GET", f"/v1/conversations/{conversation}").json()["files"][0]["document"] == "report.md"
    person.ask("What leaks at the Marrowgate gearbox?", conversation)
    assert Person(client, journal, "bob").call("DELETE", f"/v1/conversations/{conversation}").status_code == 404
    assert on_disk(settings.root / "attached", "Marrowgate")
    gone = person.call("DELETE", f"/v1/conversations/{conversation}").json()
    assert gone == {"deleted": conversation, "turns": 1, "files": 1}
    assert not on_disk(settings.root / "attached", "Marrowgate")
    assert not [f for f in settings.root.glob("journal*") if b"Marrowgate" in f.read_bytes()], "nor is it left in the journal's free pages"
    assert person.call("GET", f"/v1/conversations/{conversation}").status_code == 404
    assert cited(person.ask("What leaks at the Marrowgate gearbox?", conversation)) <= {"p-30.md"}


def test_a_file_of_the_same_name_takes_the_others_place(person: Person) -> None:
    conversation = uuid4().hex
    first = person.attach(conversation).json()["file"]["version"]
    second = person.attach(conversation, NOTE.replace("12 litres", "31 litres")).json()["file"]["version"]
    assert first != second
    answer = person.ask(QUESTION, conversation)
    assert "31 litres" in str(answer["choices"]) and "12 litres" not in str(answer["choices"])
    assert [f["version"] for f in person.call("GET", f"/v1/conversations/{conversation}").json()["files"]] == [second]
    assert person.attach(conversation, NOTE.replace("12 litres", "31 litres")).json()["file"]["version"] == second


def test_files_of_an_older_lectern_are_attached_anew(person: Person, settings: Settings) -> None:
    conversation, there = uuid4().hex, set((settings.root / "attached").glob("*"))
    person.attach(conversation)
    (folder,) = set((settings.root / "attached").glob("*")) - there
    with sqlite3.connect(folder / "manifest.sqlite3") as db:
        db.execute("UPDATE corpora SET stamp = replace(stamp, '\"tokens\"', '\"older\"')")
        assert db.execute("SELECT stamp FROM corpora").fetchone()[0].count("older")
    assert "Attach them again" in person.ask(QUESTION, conversation)["error"]["message"]
    person.attach(conversation)
    assert person.ask(QUESTION, conversation)["citations"][0]["document"] == "report.md"


def test_an_assistant_without_documents_answers_from_the_file(person: Person) -> None:
    conversation = uuid4().hex
    person.attach(conversation)
    assert cited(person.ask(QUESTION, conversation, model="empty")) == {"report.md"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("tool.exe", b"MZ", "No reader for a file"), ("all.zip", b"PK", "No reader for a file"), ("empty.md", b"", "empty"),
     ("broken.pdf", b"%PDF-1.7 nothing", "PDF")],
)
def test_what_cannot_be_read_is_refused_and_leaves_nothing(person: Person, settings: Settings, name: str, text: bytes, said: str) -> None:
    conversation = uuid4().hex
    before = set((settings.root / "attached").glob("*"))
    refused = person.attach(conversation, text, name)
    assert refused.status_code == 400 and said in refused.json()["error"]["message"]
    assert set((settings.root / "attached").glob("*")) == before
    assert person.call("GET", f"/v1/conversations/{conversation}").status_code == 404


def test_there_is_a_limit_to_files_and_ids_are_ids(person: Person, settings: Settings) -> None:
    conversation = uuid4().hex
    for n in range(MOST):
        assert person.attach(conversation, f"Note number {n} of the walk-through.", f"note-{n}.txt").status_code == 201
    refused = person.attach(conversation, "One more.", "more.txt")
    assert refused.status_code == 400 and f"{MOST} files" in refused.json()["error"]["message"]
    assert person.attach(conversation, "Another text for it.", "note-3.txt").status_code == 201, "a place is taken, not added"
    for wrong in ("x", "..%2f..%2fuploads", "A" * 32, "a" * 33):
        assert person.attach(wrong).status_code in (404, 422)
    assert person.call("DELETE", f"/v1/conversations/{conversation}").json()["files"] == MOST


def test_nobody_is_trained_on_what_was_attached(person: Person, journal: Journal, settings: Settings) -> None:
    conversation, other = uuid4().hex, uuid4().hex
    person.attach(conversation)
    settings.run.mkdir(exist_ok=True)
    file = settings.run / "vllm.url"
    with echo("The gearbox Zephyrine lost 12 litres of oil in May. [1]") as (url, seen):
        file.write_text(url)
        mine = person.ask(QUESTION, conversation, model="written")
        shared = person.ask("How tight are the flange bolts of the P-30?", other, model="written")
        file.unlink()
    assert len(seen) == 2 and seen[0]["model"] == MODEL and "Zephyrine" in str(seen[0]["messages"][1]) and cited(mine) == {"report.md"}
    for answer in (mine, shared):
        said = {"trace_id": answer["trace_id"], "score": -1, "correction": "It lost a good deal.", "learn": True}
        person.call("POST", "/v1/feedback", json=said).raise_for_status()
    assert [pair["trace_id"] for pair in pairs("written", journal)] == [shared["trace_id"]]


def test_files_beside_which_nothing_is_asked_go_after_a_day(person: Person, client: TestClient, settings: Settings) -> None:
    asked, left, new = uuid4().hex, uuid4().hex, uuid4().hex
    person.attach(asked)
    person.ask(QUESTION, asked)
    person.attach(left)
    yesterday = time.time() - 2 * 86400
    for folder in (settings.root / "attached").glob("*"):
        os.utime(folder, (yesterday, yesterday))
    person.attach(new)
    assert [len(person.call("GET", f"/v1/conversations/{one}").json().get("files", [])) for one in (asked, left, new)] == [1, 0, 1]


def test_a_file_that_is_read_while_its_conversation_is_deleted_goes_too(person: Person, settings: Settings) -> None:
    conversation = uuid4().hex
    person.ask(QUESTION, conversation)
    uploaded = settings.root / "attached"
    there = set(uploaded.glob("*"))
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(person.attach, conversation, NOTE.replace("Zephyrine", "Hollowmere") * 2000)
        while not (set(uploaded.glob("*")) - there):
            time.sleep(0.01)
        assert person.call("DELETE", f"/v1/conversations/{conversation}").json()["turns"] == 1
    assert sent.result().status_code == 400 and "deleted while" in sent.result().json()["error"]["message"]
    assert person.call("GET", f"/v1/conversations/{conversation}").status_code == 404
    assert not on_disk(uploaded, "Hollowmere")


def test_many_sweep_at_once(person: Person, settings: Settings) -> None:
    yesterday = time.time() - 2 * 86400
    for n in range(300):
        folder = settings.root / "attached" / f"{n:032x}"
        folder.mkdir()
        os.utime(folder, (yesterday, yesterday))
    with ThreadPoolExecutor() as pool:
        sent = [pool.submit(person.attach, uuid4().hex) for _ in range(8)]
    assert {one.result().status_code for one in sent} == {201}
    assert not list((settings.root / "attached").glob("0" * 28 + "*"))
