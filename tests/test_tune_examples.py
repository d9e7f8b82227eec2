"""Examples and preference pairs on a small real index: nothing held out enters, every target stands, everything repeats."""

import json
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora import UserError
from ingest.embed import Embedder, open_embedder
from ingest.index import Index
from ingest.search import Searcher
from ingest.settings import Settings
from serve.chain import Assistant, open_assistant
from serve.check import check
from serve.cite import best_span, cited, markers
from serve.journal import Journal
from serve.prompt import REFUSAL, render_prompt
from serve.schema import Answer, Feedback, Trace
from serve.tokenizer import counter
from tests.conftest import copy
from tests.plant import CORPUS, HELD_OUT, PRESS, PROFILE, SECRET, SILENT, make_plant
from tune.chance import chance
from tune.data import data_folder, fresh_data, make_data, one_thread, read_data, read_examples, read_pairs
from tune.examples import make_examples
from tune.figures import figures
from tune.heldout import held_out_versions, refuse_leaks
from tune.maker import Taught
from tune.pairs import contradicted, feedback_pairs, mistake_pairs
from tune.schema import Example
from tune.written import Unanswered

ROWS = 40


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_plant(home, tmp_path_factory.mktemp("plant"))
    make_data(settings, CORPUS, ROWS, 0, SILENT)
    return settings


@pytest.fixture(scope="module")
def embedder(settings: Settings) -> Embedder:
    return open_embedder(settings)


@pytest.fixture
def assistant(settings: Settings, embedder: Embedder) -> Iterator[Assistant]:
    with Searcher(settings, embedder) as searcher, one_thread():  # closed again: the vector index has one user at a time
        yield open_assistant(CORPUS, settings, searcher)


@pytest.fixture(scope="module")
def examples(settings: Settings) -> list[Example]:
    return read_examples(settings, CORPUS)


def test_nothing_held_out_is_asked_or_shown(settings: Settings, assistant: Assistant, examples: list[Example]) -> None:
    held = held_out_versions(assistant.profile, assistant.searcher.manifest)
    assert len(held) == 1
    assert any(SECRET in h.chunk.text for h in assistant.retrieve(f"What does {SECRET} mean?", 3)), "serving finds it"
    folder = data_folder(settings, CORPUS)
    assert examples and not any(v in (folder / f).read_text() for v in held for f in ("sft.jsonl", "dpo.jsonl"))
    assert not any(SECRET in (folder / f).read_text() for f in ("sft.jsonl", "dpo.jsonl"))
    assert HELD_OUT in (folder / "card.md").read_text()


def test_a_leak_stops_the_run(assistant: Assistant, examples: list[Example]) -> None:
    held = held_out_versions(assistant.profile, assistant.searcher.manifest)
    secret = next(iter(held))
    refuse_leaks(examples, held)
    with pytest.raises(UserError, match="held-out"):
        refuse_leaks([examples[0].model_copy(update={"shown": [f"{secret}:0"]})], held)


def test_every_answer_is_one_that_serving_would_keep_with_the_models_own_marker(assistant: Assistant, examples: list[Example]) -> None:
    chunks = {c.id: c for d in assistant.searcher.manifest.documents(CORPUS) for c in assistant.searcher.manifest.chunks(d["version"])}
    hits = {h.chunk.id: h for e in examples for h in assistant.retrieve(question(e), 30)}
    for e in (e for e in examples if e.answerable):
        said = e.completion[0]["content"]
        marker = re.fullmatch(r".+ \[(\d)\]", said, re.S)
        assert marker and e.shown[int(marker[1]) - 1] == e.chunk_id
        _, found = cited(said, [hits[i] for i in e.shown], lambda token: 1.0)
        assert [(span.hit.chunk.id, by) for span, _, by in found] == [(e.chunk_id, "model")]
        assert figures(said.rpartition(" [")[0]) <= figures(chunks[e.chunk_id].text)


def test_about_a_quarter_are_refusals_with_the_answer_nowhere_in_sight(assistant: Assistant, examples: list[Example]) -> None:
    refusals = [e for e in examples if not e.answerable]
    assert 0.1 < len(refusals) / len(examples) < 0.45
    assert all(e.completion[0]["content"] == REFUSAL["en"] and e.shown and e.chunk_id not in e.shown for e in refusals)
    for row in make_examples(assistant, 20, 0, SILENT).taught:
        best = best_span(row.asked.answer, row.hits)
        assert row.example.answerable or best is None or best[1].support != "supported"


def test_prompts_are_servings_own_with_whole_passages(assistant: Assistant, examples: list[Example]) -> None:
    count = counter(assistant.settings.models / assistant.tier.base.id)
    budget = assistant.tier.prompt_budget - assistant.profile.serve.max_tokens
    for e in examples[:20]:
        hits = {h.chunk.id: h for h in assistant.retrieve(question(e), 30)}
        again = render_prompt(assistant.profile, question(e), [hits[i] for i in e.shown], count, budget)
        assert e.prompt == again.messages
        assert len(e.shown) <= assistant.profile.serve.keep
        assert all(hits[i].chunk.text.strip() in e.prompt[1]["content"] for i in e.shown)


def test_the_gold_passage_takes_every_place(examples: list[Example]) -> None:
    places = Counter(e.shown.index(e.chunk_id) for e in examples if e.answerable and len(e.shown) == 2)
    assert places[0] > 3 and places[1] > 3


def test_the_same_seed_gives_the_same_rows_and_another_does_not(assistant: Assistant, examples: list[Example]) -> None:
    again = make_examples(assistant, ROWS, 0, SILENT).taught
    assert [row.example.model_dump_json() for row in again] == [e.model_dump_json() for e in examples]
    pairs = mistake_pairs(again, 10, 0, len, 500)
    assert pairs == mistake_pairs(again, 10, 0, len, 500) != mistake_pairs(again, 10, 1, len, 500)
    assert all(len(pair.rejected[0]["content"]) < 60 for pair in mistake_pairs(again, 10, 0, len, 60)), "none that is too long to be said"
    other = make_examples(assistant, 12, 1, SILENT).taught
    assert {row.example.id for row in other} != {e.id for e in examples[:12]}


def test_mistakes_of_every_kind_are_rejected(settings: Settings, examples: list[Example]) -> None:
    by_id = {e.id: e for e in examples}
    kinds: dict[str, int] = Counter()
    for pair in read_pairs(settings, CORPUS):
        chosen, rejected = pair.chosen[0]["content"], pair.rejected[0]["content"]
        example = by_id[pair.id.removesuffix(f":{pair.source}")]
        assert pair.prompt == example.prompt and chosen == example.completion[0]["content"] != rejected
        kinds[pair.source] += 1
        if pair.source == "cited another passage":
            assert rejected.rpartition(" [")[0] == chosen.rpartition(" [")[0]
        if pair.source == "changed a figure":
            assert figures(rejected) != figures(chosen) and rejected[-3:] == chosen[-3:]
        if pair.source == "changed a unit":
            assert figures(rejected) != figures(chosen) and re.findall(r"\d+", rejected) == re.findall(r"\d+", chosen)
        if pair.source == "cited nothing":
            assert "[" not in rejected
        if pair.source == "refused what the passages answer":
            assert rejected == REFUSAL["en"] and example.answerable
        if pair.source == "answered what the passages do not":
            assert chosen == REFUSAL["en"] and "[" in rejected
    assert len(kinds) == 6 and min(kinds.values()) >= 2, kinds


@pytest.mark.parametrize(("said", "turned"), [
    ("It must not be re-set on site. [2]", "It must be re-set on site. [2]"),
    ("The drum may be filled to 415 L. [1]", "The drum may not be filled to 415 L. [1]"),
    ("No, it is not. [1]", "Yes, it is not. [1]"),
    ("出租人不得进入。 [1]", "出租人应当进入。 [1]"),
    ("The oil volume is 63 L. [1]", ""),
])  # fmt: skip
def test_the_opposite_is_said_and_does_not_stand(examples: list[Example], said: str, turned: str) -> None:
    example = examples[0].model_copy(update={"completion": [{"role": "assistant", "content": said}]})
    found = {contradicted(Taught(example, Unanswered("q", "?", ""), []), chance(0, f"{n}")) for n in range(20)}
    assert turned in found
    assert not any(check(markers(wrong)[0], markers(said)[0]).support == "supported" for wrong in found if wrong)


def trace(assistant: Assistant, ask: str, raw: str) -> Trace:
    """What the chain would have put on record for this question, had the model said `raw`."""
    hits = assistant.retrieve(ask, 10)
    count = counter(assistant.settings.models / assistant.tier.base.id)
    kept = hits[: assistant.profile.serve.keep]
    budget = assistant.tier.prompt_budget - assistant.profile.serve.max_tokens
    prompt = render_prompt(assistant.profile, ask, kept, count, budget)
    return Trace(
        id=f"{zlib.crc32(ask.encode()):x}", corpus=CORPUS, question=ask, standalone=ask, prompt=prompt.messages, raw=raw,
        hits=[{**h.to_json(), "context": h.chunk.context} for h in hits], created="2024-01-01", answer=Answer(answer=raw),
    )  # fmt: skip


def test_corrections_become_pairs_with_markers_that_hold(assistant: Assistant) -> None:
    told = {
        "What is the oil volume of the PM-7?": "The oil volume is 63 L.",  # right, and without a marker
        "What is the working pressure of the PM-7?": "The working pressure is 999 bar.",  # no passage says so
        f"What does {SECRET} mean on the QX-9?": "QX-E77 means: shaft speed below 31 rpm.",  # a held-out manual's
        "How many bolts has the moon?": REFUSAL["en"],  # a question that the gate asks
    }
    held = {"id": "h1", "question": "how many bolts has the moon", "answerable": False, "answer": None, "document": None, "quote": None,
            "lang": "en", "split": "heldout"}  # fmt: skip
    assistant.profile.questions.write_text(json.dumps(held) + "\n")
    journal = Journal(assistant.settings.root)
    try:
        for ask, correction in told.items():
            record = trace(assistant, ask, "I do not know.")
            journal.add_trace(record)
            journal.add_feedback(Feedback(trace_id=record.id, score=-1, correction=correction, learn=True))
    finally:
        journal.close()
    dropped: Counter[str] = Counter()
    pairs = feedback_pairs(assistant, held_out_versions(assistant.profile, assistant.searcher.manifest), dropped)
    assert len(pairs) == 1
    chosen = pairs[0].chosen[0]["content"]
    n = int(chosen[-2])
    assert chosen == f"The oil volume is 63 L. [{n}]" and "63 L" in pairs[0].prompt[1]["content"].split(f"[{n}]")[1]
    assert pairs[0].rejected[0]["content"] == "I do not know."
    assert dropped == {"feedback on a held-out document": 1, "feedback on a held-out question": 1,
                       "a correction that the passages shown do not support": 1}  # fmt: skip
    dropped.clear()
    manifest = assistant.searcher.manifest
    press = next(d["version"] for d in manifest.documents(CORPUS) if d["document"] == "pm-7-press-manual.md")
    with manifest.transaction() as db:
        db.execute("UPDATE versions SET live = 0 WHERE id = ?", (press,))
    try:
        assert feedback_pairs(assistant, held_out_versions(assistant.profile, manifest), dropped) == []
        assert dropped["feedback on passages that are removed, changed or redacted since"] >= 1
    finally:
        with manifest.transaction() as db:
            db.execute("UPDATE versions SET live = 1 WHERE id = ?", (press,))
        assistant.profile.questions.unlink()


def test_a_misspelt_or_copied_held_out_document_stops_the_run(settings: Settings, tmp_path: Path) -> None:
    copy(settings.root, tmp_path)
    shutil.rmtree(tmp_path / "run")
    other = Settings(home=tmp_path, tier="cpu", chroma_url="", vllm_port=1)
    corpus = tmp_path / "corpora" / CORPUS
    (corpus / "documents" / "renamed.md").write_text((corpus / "documents" / HELD_OUT).read_text() + "\nReprinted.\n")
    Index(CORPUS, other).add([corpus / "documents"])
    with pytest.raises(UserError, match=r"renamed\.md repeats a held-out document"):
        make_data(other, CORPUS, 5, 0, SILENT)
    profile = {**PROFILE, "tune": {"held_out": [HELD_OUT.replace("mixer", "mixers")]}}
    (corpus / "profile.yaml").write_text(json.dumps(profile))
    with pytest.raises(UserError, match=f"but {HELD_OUT} is"):
        make_data(other, CORPUS, 5, 0, SILENT)


def test_a_corpus_in_a_language_that_the_base_does_not_read_says_so(settings: Settings, tmp_path: Path) -> None:
    copy(settings.models, tmp_path / "models")
    documents = tmp_path / "corpora" / CORPUS / "documents"
    documents.mkdir(parents=True)
    (documents.parent / "profile.yaml").write_text(json.dumps({"title": "厂", "description": "厂", "languages": ["zh"]}))
    (documents / "a.md").write_text("# 通风机手册\n\n## 一、保养\n\n皮带张力每运行250小时检查一次。停机超过3周的，每周手动盘车一次。\n")
    other = Settings(home=tmp_path, tier="cpu", chroma_url="", vllm_port=1)
    Index(CORPUS, other).add([documents])
    with pytest.raises(UserError, match="reads en alone"):
        make_data(other, CORPUS, 5, 0, SILENT)
    assert not data_folder(other, CORPUS).exists()


def question(example: Example) -> str:
    return example.prompt[1]["content"].rpartition("Question: ")[2]


def test_the_small_plant_is_what_the_other_tests_think(examples: list[Example]) -> None:
    assert "63 L" in PRESS and {e.document for e in examples} == {"pm-7-press-manual.md", "fk-3-fan-manual.md"}


def test_rows_are_made_anew_only_when_something_under_them_changed(settings: Settings) -> None:
    before = fresh_data(settings, CORPUS, SILENT)
    made = (data_folder(settings, CORPUS) / "sft.jsonl").stat().st_mtime_ns
    assert fresh_data(settings, CORPUS, SILENT) == before == read_data(settings, CORPUS)
    assert (data_folder(settings, CORPUS) / "sft.jsonl").stat().st_mtime_ns == made
    profile = settings.root / "corpora" / CORPUS / "profile.yaml"
    text = profile.read_text()
    told: list[str] = []
    try:
        profile.write_text(text.replace("keep: 2", "keep: 3"))
        after = fresh_data(settings, CORPUS, type(SILENT)(told.append))
        assert after.sft_hash != before.sft_hash and any("the profile changed" in line for line in told)
    finally:
        profile.write_text(text)
