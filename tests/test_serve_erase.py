"""Erasing: of a removed document no byte is left in what was asked, answered, said of it, or made from it for training."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from corpora import UserError
from ingest.manifest import Manifest
from ingest.readers.writer import Writer
from ingest.schema import Look
from ingest.settings import Settings
from serve.cli import main
from serve.erase import erase
from serve.journal import Journal
from serve.schema import Answer, Citation, Feedback, Trace
from tune.run import Plan
from tune.schema import Adapter, Example, PreferencePair
from tune.train import trained_on

GONE, OLDER, OTHER = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc"
SECRET = "紫色锚链值三十七枚qx7"
PASSAGE = f"第九条 {SECRET}，由甲方保管。"
PROMPT = [
    {"role": "system", "content": "Cite."},
    {"role": "user", "content": f"段落：\n\n[1] 合同\n{PASSAGE}\n\n问题：多少枚？"},
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", tier="cpu")


@pytest.fixture
def journal(settings: Settings) -> Journal:
    return Journal(settings.root)


def hit(version: str, text: str = PASSAGE, document: str = "anchor.md") -> dict[str, Any]:
    return {"rank": 1, "score": 0.9, "chunk_id": f"{version}:3", "document": document, "page": None, "start": 0, "end": len(text),
            "text": text, "context": ""}  # fmt: skip


def trace(
    trace_id: str, *hits: dict[str, Any], answer: str = "", cites: str = "", corpus: str = "legal", prompt: Any = ()
) -> Trace:
    quote = Citation(marker=1, chunk_id=f"{cites}:3", document="anchor.md", version=cites, page=None, start=0, end=9, quote=PASSAGE,
                     support="supported", by="model")  # fmt: skip
    said = Answer(answer=answer, citations=[quote] if cites else [])
    question = f"{answer}多少枚？"
    return Trace(id=trace_id, corpus=corpus, question=question, standalone="多少枚？", hits=list(hits), prompt=list(prompt), raw=answer,
                 thinking=answer, answer=said, created="2026-01-01T00:00:00+00:00", key="k")  # fmt: skip


def left(settings: Settings) -> list[str]:
    """The files under the home in which the secret stands."""
    return sorted(p.relative_to(settings.root).as_posix() for p in settings.root.rglob("*")
                  if p.is_file() and SECRET.encode() in p.read_bytes())  # fmt: skip


def test_answers_that_showed_it_are_emptied_and_others_kept(settings: Settings, journal: Journal) -> None:
    other = hit(OTHER, "Rent is due monthly.", "lease.md")
    journal.add_trace(trace("cited", hit(GONE), other, answer=f"{SECRET} [1]。", cites=GONE))
    journal.add_trace(trace("shown", hit(GONE), other, answer=f"据说{SECRET}。", prompt=PROMPT))
    journal.add_trace(trace("found", hit(GONE), other, answer="别的。"))
    journal.add_trace(trace("apart", other, answer="Monthly."))
    journal.add_feedback(Feedback(trace_id="cited", score=-1, comment=f"不对：{SECRET}", correction=SECRET))
    journal.add_feedback(Feedback(trace_id="apart", score=1, comment="Right."))
    assert "journal.sqlite3-wal" in left(settings)
    done = erase(settings, "legal", [GONE])
    assert left(settings) == []
    assert (done.answers, done.retrieved, done.feedback) == (2, 1, 1)
    cited, found, apart = (journal.trace(name) for name in ("cited", "found", "apart"))
    assert cited and cited.answer.answer == cited.question == cited.raw == cited.thinking == "" and "删除" in cited.answer.notice
    assert cited.hits == [other] and cited.key == "k" and cited.created
    assert found and found.hits == [other] and found.answer.answer == "别的。"
    assert apart == trace("apart", other, answer="Monthly.")
    said = {t.id: f for f, t in journal.feedback("legal")}
    assert (said["cited"].score, said["cited"].comment, said["cited"].correction) == (-1, "", "")
    assert said["apart"].comment == "Right."
    assert [a["action"] for a in journal.audited()] == ["erase"]
    assert erase(settings, "legal", [GONE]).answers == 0, "a second time finds nothing"


def test_no_byte_is_left_in_pages_that_moved_or_were_freed(settings: Settings, journal: Journal) -> None:
    journal.rows("PRAGMA secure_delete=OFF")  # as most builds of SQLite have it
    rng = random.Random(3)
    for n in range(400):  # long and short rows, some rewritten: the tree splits, and rows leave copies behind
        mine = n % 3 == 0
        text = PASSAGE * rng.randrange(1, 40) if mine else "x" * rng.randrange(10, 9000)
        journal.add_trace(
            trace(f"t{rng.random()}", hit(GONE if mine else OTHER, text), answer=text, cites=GONE if mine else "")
        )
    with journal.writing() as db:
        db.execute("DELETE FROM traces WHERE rowid % 5 = 0")
        db.execute("UPDATE traces SET trace = substr(trace, 1, 200) || substr(trace, 201) WHERE rowid % 7 = 0")
    journal.rows("PRAGMA wal_checkpoint(PASSIVE)")
    assert "journal.sqlite3" in left(settings)
    assert erase(settings, "legal", [GONE]).answers > 50
    assert left(settings) == []
    assert len(journal.traces("legal")) == 320


def test_another_corpus_keeps_its_own(settings: Settings, journal: Journal) -> None:
    kept = trace("t", hit(GONE), answer="别的。", cites=GONE, corpus="official")
    journal.add_trace(kept)
    assert erase(settings, "legal", [GONE]).answers == 0
    assert journal.trace("t") == kept


def test_earlier_versions_under_its_name_are_named(settings: Settings, journal: Journal) -> None:
    journal.add_trace(trace("new", hit(GONE), answer="新。", cites=GONE))
    journal.add_trace(trace("old", hit(OLDER), answer="旧。", cites=OLDER))
    assert erase(settings, "legal", [GONE]).earlier == [OLDER]
    assert erase(settings, "legal", [OLDER]).earlier == []
    assert left(settings) == []


def test_rows_reports_and_logs_made_from_it_go(settings: Settings, journal: Journal) -> None:
    data, reports = settings.root / "runs" / "data" / "legal", settings.root / "runs" / "eval"
    row = Example(id=f"{OTHER}:1:value:x", kind="value", answerable=True, document="lease.md", chunk_id=f"{OTHER}:1", shown=[f"{GONE}:3"],
                  prompt=PROMPT, completion=[{"role": "assistant", "content": "三十七枚 [1]"}])  # fmt: skip
    for folder in (data, data.with_name("official"), reports, settings.run / "jobs"):
        folder.mkdir(parents=True)
    for name in ("sft.jsonl", "dpo.jsonl", "card.md", "data.json"):
        (data / name).write_text(row.model_dump_json() + "\n", encoding="utf-8")
        (data.with_name("official") / name).write_text("{}\n")
    report = {
        "corpus": "legal",
        "systems": {"base": {"n": 1}},
        "questions": [{"answers": {"base": {"answer": SECRET}}}],
    }
    (reports / "legal-20260101-000000.json").write_text(json.dumps(report, ensure_ascii=False), encoding="utf-8")
    ended, ended_elsewhere = journal.add_job(["tune", "data", "legal"]), journal.add_job(["tune", "data", "official"])
    for job in (ended, ended_elsewhere):
        journal.end_job(job.id, "done", 0)
    (settings.run / "jobs" / ended.log).write_text(f"One example:\n{SECRET}\n", encoding="utf-8")
    (settings.run / "jobs" / ended_elsewhere.log).write_text("One example:\n", encoding="utf-8")
    assert len(left(settings)) == 6
    done = erase(settings, "legal", [GONE])
    assert left(settings) == [] and len(done.files) == 6
    assert json.loads((reports / "legal-20260101-000000.json").read_text())["systems"] == {"base": {"n": 1}}
    assert (
        len(list(data.with_name("official").iterdir())) == 4 and (settings.run / "jobs" / ended_elsewhere.log).exists()
    )


def test_rows_without_it_stay(settings: Settings) -> None:
    data = settings.root / "runs" / "data" / "legal"
    data.mkdir(parents=True)
    (data / "sft.jsonl").write_text(f'{{"chunk_id": "{OTHER}:1"}}\n')
    assert erase(settings, "legal", [GONE]).files == [] and (data / "sft.jsonl").exists()


def publish(settings: Settings, version: int, fields: dict[str, Any]) -> None:
    folder = settings.adapters / "legal" / str(version)
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "manifest.json").write_text(json.dumps({**fields, "corpus": "legal"}))


def test_adapters_and_runs_that_learnt_from_it_are_named_and_stay(settings: Settings) -> None:
    publish(settings, 1, {"trained_on": [GONE, OTHER]})
    publish(settings, 2, {"trained_on": [OTHER]})
    publish(settings, 3, {})  # from before it was noted
    champion = {"version": 1, "name": "legal-v1", "path": "adapters/legal/1"}
    (settings.adapters / "legal" / "champion.json").write_text(json.dumps(champion))
    for name, corpus in (("legal-sft-1", "legal"), ("legal-cn-sft-1", "legal-cn")):
        (settings.root / "runs" / name).mkdir(parents=True)
        (settings.root / "runs" / name / "config.yaml").write_text(
            yaml.safe_dump({"corpus": corpus, "trained_on": [GONE]})
        )
    found = {w.folder: w for w in erase(settings, "legal", [GONE]).weights}
    assert {f: (w.served, w.certain) for f, w in found.items()} == {
        "adapters/legal/1": (True, True), "adapters/legal/3": (False, False), "runs/legal-sft-1": (False, True)}  # fmt: skip
    assert found["adapters/legal/1"].retire == ["tune rollback legal", f"rm -r {settings.adapters / 'legal' / '1'}"]
    assert (settings.adapters / "legal" / "1" / "manifest.json").exists()


def test_what_was_made_from_an_earlier_version_is_found_by_the_name(settings: Settings) -> None:
    publish(settings, 1, {"trained_on": [OLDER], "documents": ["anchor.md", "chain.md"]})
    publish(settings, 2, {"trained_on": [OTHER], "documents": ["chain.md"]})
    data = settings.root / "runs" / "data" / "legal"
    data.mkdir(parents=True)
    (data / "sft.jsonl").write_text(f'{{"document":"anchor.md","chunk_id":"{OLDER}:1"}}\n')
    assert erase(settings, "legal", [GONE]).weights == [] and (data / "sft.jsonl").exists()
    done = erase(settings, "legal", [GONE], ["anchor.md"])
    assert [w.folder for w in done.weights] == ["adapters/legal/1"] and not (data / "sft.jsonl").exists()


def test_a_row_tells_what_it_shows_and_asks_about() -> None:
    turn = [{"role": "user", "content": "x"}]
    made = PreferencePair(id=f"{GONE}:3:value:0a1b2c3d:cited nothing", source="cited nothing", chunk_id=f"{GONE}:3", shown=[f"{OTHER}:1"],
                          prompt=turn, chosen=turn, rejected=turn)  # fmt: skip
    corrected = made.model_copy(update={"id": "feedback:t1", "source": "feedback", "chunk_id": ""})
    assert made.chunks == [f"{GONE}:3", f"{OTHER}:1"] and corrected.chunks == [f"{OTHER}:1"]


def test_a_plan_notes_what_its_rows_and_its_parent_learnt_from(settings: Settings) -> None:
    data = settings.root / "runs" / "data" / "legal"
    data.mkdir(parents=True)
    turn = [{"role": "user", "content": "x"}]
    rows = [Example(id=f"{v}:1:value:x", kind="value", answerable=False, document="d", chunk_id=f"{v}:1", shown=[f"{OTHER}:2"], prompt=turn,
                    completion=turn) for v in (GONE, OLDER)]  # fmt: skip
    (data / "sft.jsonl").write_text("".join(f"{row.model_dump_json()}\n" for row in rows))
    made = {
        "kind": "sft",
        "base": "b",
        "base_hash": "b",
        "template_hash": "t",
        "data_hash": "d",
        "rows": 1,
        "parent": None,
    }
    fields = {"corpus": "legal", **made, "sequences": 1, "max_steps": 0, "recipe": {}, "precision": "float32",
              "checkpointing": False, "batch": 1, "accumulate": 1, "max_length": 9, "seed": 0}  # fmt: skip
    plan = Plan.model_validate(fields)
    assert trained_on(settings, plan) == [GONE, OTHER], "of the first row alone, as it trains on that alone"
    assert trained_on(settings, plan.model_copy(update={"rows": 2})) == [GONE, OLDER, OTHER]
    (data / "dpo.jsonl").write_text("")
    said = {**made, "settings": {}, "loss": 0.1, "created": "2026"}
    publish(settings, 1, {**said, "version": 1, "trained_on": [OLDER]})
    publish(settings, 2, {**said, "version": 2})
    further = plan.model_copy(update={"kind": "dpo", "parent": 1})
    assert trained_on(settings, further) == [OLDER]
    assert trained_on(settings, further.model_copy(update={"parent": 2})) == [], "not known"


def test_manifests_from_before_it_was_noted_are_still_read() -> None:
    assert {"trained_on"} <= set(Adapter.model_fields) & set(Plan.model_fields)
    assert not Adapter.model_fields["trained_on"].is_required() and not Plan.model_fields["trained_on"].is_required()


def test_a_reader_that_holds_an_old_state_is_told_of(settings: Settings, journal: Journal) -> None:
    journal.add_trace(trace("t", hit(GONE)))
    reader = Journal(settings.root)
    reader.rows("BEGIN")
    reader.rows("SELECT count(*) FROM traces")
    journal.rows("PRAGMA busy_timeout=50")
    with pytest.raises(UserError, match="another process reads on"), journal.scrubbing():
        pass
    reader.rows("ROLLBACK")
    with journal.scrubbing():
        journal.rows("DELETE FROM traces")
    assert left(settings) == []


def test_the_command_says_what_it_did(settings: Settings, journal: Journal, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setenv("LECTERN_HOME", str(settings.root))
    publish(settings, 1, {"trained_on": [GONE]})
    manifest = Manifest(settings.root)
    writer = Writer("Anchor")
    writer.paragraph(PASSAGE)
    manifest.open_corpus("legal", {})
    manifest.add_version(GONE, "legal", "0" * 64, "p", Path("anchor.md"), 9, writer.document(), [])
    manifest.place("legal", "/x/anchor.md", "anchor.md", GONE, Look(9, 9, 0))
    manifest.close()
    journal.add_trace(trace("t", hit(GONE), answer=SECRET, cites=GONE))
    assert main(["erase", "legal", GONE]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 answers were emptied") and "adapters/legal/1 learnt from it. To retire it: rm -r" in said
    assert f"Still indexed: {GONE}" in said
    assert main(["erase", "legal", GONE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"] == 0
    for arguments, sentence in (
        (["erase", "legal", "../x"], "is no version"),
        (["erase", "nowhere", GONE], "No corpus"),
    ):
        assert main(arguments) == 2
        assert sentence in capsys.readouterr().err
