"""Search over the shipped corpora finds first what is named, and fusion keeps its promises."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpora import UserError
from ingest.fusion import fuse
from ingest.keywords import Keywords
from ingest.manifest import Manifest, stamp
from ingest.schema import Chunk, Document, Hit, Look
from ingest.search import Searcher
from ingest.settings import Settings
from ingest.where import Where
from tests.bench.search import CORPUS, DIMENSION, Given, Made, build, unit, write_profile


@pytest.fixture(scope="module")
def searcher(indexed: Path) -> Iterator[Searcher]:
    with Searcher(Settings(home=indexed, chroma_url="")) as searcher:
        yield searcher


@pytest.mark.parametrize(
    ("corpus", "query", "begins"),
    [
        ("maintenance", "SC-A04", "SC-A04 | Fan motor overload"),
        ("maintenance", "What does fault code SC-A04 mean?", "SC-A04 | Fan motor overload"),
        ("legal", "第二十三条", "第二十三条"),
        ("legal", "第23条怎么规定", "第二十三条"),
        ("code", "compute_delay", "def compute_delay"),
        ("code", "TW-1304", "TW-1304"),
        ("code", "tw1304", "TW-1304"),
        ("maintenance", "sca04", "SC-A04 | Fan motor overload"),
        ("maintenance", "ＳＣ－Ａ０４", "SC-A04 | Fan motor overload"),
        ("legal", "合同管理辦法第二十三條", "第二十三条"),
        ("legal", "考勤制度第31条讲的是什么？", "第三十一条"),
        ("legal", "What does clause 8.5 in the Kestrel Point lease say?", "8.5"),
        ("legal", "Kestrel Point lease, Section 4.2", "4.2"),
    ],
)
def test_what_is_named_comes_first(searcher: Searcher, corpus: str, query: str, begins: str) -> None:
    hits = searcher.search(corpus, query, 5)
    assert hits and [h.rank for h in hits] == list(range(1, len(hits) + 1))
    assert hits[0].chunk.text.strip().startswith(begins)


def test_a_function_name_finds_its_definition(searcher: Searcher) -> None:
    hit = searcher.search("code", "class RetryLater", 1)[0]
    assert hit.document.endswith("errors.py") and "class RetryLater" in hit.chunk.text


def test_meaning_finds_what_words_do_not(searcher: Searcher) -> None:
    hits = searcher.search("maintenance", "How frequently must lubricant be replaced on the compressor?", 10)
    assert any(h.dense is not None for h in hits)


def test_chinese_is_not_searched_by_a_model_that_does_not_read_it(searcher: Searcher) -> None:
    assert all(h.dense is None for h in searcher.search("official", "请示可以一文多事吗", 5))


def test_offsets_point_into_the_document(searcher: Searcher) -> None:
    for hit in searcher.search("maintenance", "oil change interval", 10):
        assert searcher.manifest.text(hit.chunk.version)[hit.chunk.start : hit.chunk.end] == hit.chunk.text


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("合同管理办法第二十三条", "hengchuan-contract-management-measures.docx"),
        ("考勤制度第二十三条", "hengchuan-attendance-overtime-policy.md"),
        ("Clause 3.1 of the equipment lease", "kestrel-point-equipment-lease.md"),
        ("Section 3.1 of the Orrin Vale master services agreement", "brightwater-orrin-vale-master-services-agreement.docx"),
    ],
)
def test_a_clause_is_looked_up_in_the_document_that_is_named(searcher: Searcher, question: str, document: str) -> None:
    hits = searcher.search("legal", question, 5)
    assert hits[0].document == document and hits[0].named
    assert not any(h.named for h in hits if h.document != document)


def test_words_copied_from_a_document_find_their_place(searcher: Searcher) -> None:
    for version, *_ in searcher.manifest.placed("maintenance"):
        for chunk in searcher.manifest.chunks(version)[5:100:20]:
            text = " ".join(chunk.text.split())
            copied = text[len(text) // 3 :][:60].upper()
            found = searcher.search("maintenance", copied, 3)
            assert any(copied.lower() in " ".join(h.chunk.text.split()).lower() for h in found), copied


def test_some_documents_alone(searcher: Searcher) -> None:
    lease = "kestrel-point-equipment-lease.md"
    hits = searcher.search("legal", "What is the notice period for termination?", 20, Where((lease,)))
    assert len(hits) == 20 and {h.document for h in hits} == {lease}
    assert all(h.dense is not None for h in hits[:5]), "both halves search what is asked for"
    both = searcher.search("legal", "第二十三条", 10, Where((lease, "hengchuan-attendance-overtime-policy.md")))
    assert both[0].chunk.text.startswith("第二十三条") and both[0].document != "hengchuan-contract-management-measures.docx"
    with pytest.raises(UserError, match="No document 'lease' in legal"):
        searcher.search("legal", "notice", 5, Where(("lease",)))


def test_a_search_keeps_to_a_folder_a_language_a_section_and_days(searcher: Searcher) -> None:
    def search(question: str, **where: Any) -> list[Hit]:
        found = searcher.search("legal", question, 8, Where(**where))
        assert found
        return found

    placed = {p.name: p for p in searcher.manifest.placed("legal")}
    assert {h.document.rsplit(".", 1)[-1] for h in search("notice", documents=("*.docx",))} == {"docx"}
    assert {placed[h.document].lang for h in search("contract 合同", lang="zh")} == {"zh"}
    assert all("Article 23" in h.chunk.context or "第二十三条" in h.chunk.context for h in search("合同", section="第二十三条"))
    days = sorted({datetime.fromtimestamp(p.mtime_ns / 1e9, UTC).date() for p in placed.values()})
    assert search("notice", after=days[0], before=days[-1])
    with pytest.raises(UserError, match=r"No document of legal is in 'en' and of .* or later"):
        search("notice", lang="en", after=days[-1] + timedelta(days=1))
    with pytest.raises(UserError, match="No document 'x/"):
        search("notice", documents=("x/*",))
    assert searcher.searched("legal", Where(lang="zh")) < searcher.searched("legal") == len(placed)


@pytest.mark.parametrize(
    ("section", "context", "held"),
    [
        ("2.4", "Manual › 2.4 Start › Cold", True),
        ("2.4", "Manual › 2.4.1 Cold start", False),
        ("2.4", "Manual › 12.4 Stop", False),
        ("2", "Manual › 2.4 Start", False),
        ("start", "Manual › 2.4 Start", True),
        ("第三章", "办法 › 第三章　附则", True),
        ("", "Manual", True),
    ],
)
def test_a_section_is_a_heading_or_its_number(section: str, context: str, held: bool) -> None:
    assert Where(section=section).holds(context) is held


def test_a_filter_narrow_or_broad_leaves_the_nearest_of_what_it_lets_through(tmp_path: Path) -> None:
    settings, embedder, made = Settings(home=tmp_path, chroma_url=""), Given(), Made(1)
    write_profile(settings)
    build(settings, made, 3000, embedder)
    with Searcher(settings, embedder) as searcher:  # type: ignore[arg-type]
        documents = searcher.manifest.documents(CORPUS)
        vectors = searcher._vectors(str(searcher.manifest.corpus_id(CORPUS)))
        question = "xyzzyx"  # no word of the documents: meaning alone finds them
        near = vectors.get([f"{documents[0]['version']}:7"])[0]
        embedder.vectors[question] = unit(near + 0.5 * unit(made.rng.normal(size=DIMENSION)))
        for some in (1, 3, 10, 25, len(documents)):
            names = [d["document"] for d in documents[:some]]
            hits = searcher.search(CORPUS, question, 10, Where(tuple(names)))
            assert len(hits) == 10 and {h.document for h in hits} <= set(names)
            ids = [f"{d['version']}:{i}" for d in documents[:some] for i in range(d["chunks"])]
            nearest = float((vectors.get(ids) @ embedder.vectors[question]).max())
            assert hits[0].dense == pytest.approx(nearest, abs=1e-3)


def test_a_section_is_found_however_far_it_is_from_the_question(tmp_path: Path) -> None:
    settings, embedder, made = Settings(home=tmp_path, chroma_url=""), Given(), Made(2)
    write_profile(settings)
    build(settings, made, 4000, embedder)
    with Searcher(settings, embedder) as searcher:  # type: ignore[arg-type]
        corpus_id = str(searcher.manifest.corpus_id(CORPUS))
        documents = searcher.manifest.documents(CORPUS)
        chunk = searcher.manifest.chunks(documents[3]["version"])[7]
        far, word = "xyzzyx", chunk.text.split()[-1].rstrip(".")
        embedder.vectors[far] = embedder.vectors[word] = -searcher._vectors(corpus_id).get([chunk.id])[0]
        for question in (far, word):
            assert [h.chunk.id for h in searcher.search(CORPUS, question, 10, Where(section=chunk.context))] == [chunk.id]
        title = Where(section=documents[3]["title"])
        assert {h.chunk.version for h in searcher.search(CORPUS, far, 10, title)} == {chunk.version}
        with pytest.raises(UserError, match="No section"):
            searcher.search(CORPUS, word, 10, Where((documents[2]["document"],), section=chunk.context))
        keywords = searcher.keywords(CORPUS, corpus_id)
        assert [found.id for found in keywords.search(word, 10, ids=[chunk.id])] == [chunk.id]


def test_a_document_that_is_being_replaced_is_always_found(tmp_path: Path) -> None:
    settings, embedder = Settings(home=tmp_path, chroma_url=""), Given()
    write_profile(settings)
    manifest = Manifest(settings.root)
    corpus_id = manifest.open_corpus(CORPUS, stamp(embedder))  # type: ignore[arg-type]
    keywords = Keywords(settings.root / "keywords" / corpus_id)

    def replace_it(n: int) -> None:
        text = f"更换钨灯丝之前断电，第{n}版。"
        chunk = Chunk(f"{n:016x}", 0, text, 0, len(text), None, "钨灯")
        manifest.add_version(chunk.version, CORPUS, chunk.version, "made", Path("a.txt"), 1, Document("钨灯", text, ()), [chunk])
        keywords.write([chunk])
        manifest.place(CORPUS, "/a.txt", "a.txt", chunk.version, Look(1, n, 0))
        retired = manifest.dead_versions(CORPUS)
        keywords.write(remove_versions=retired)
        manifest.forget(retired)

    replace_it(0)
    with Searcher(settings, embedder) as searcher, ThreadPoolExecutor(1) as pool:  # type: ignore[arg-type]
        embedder.languages = ("en",)
        writing = pool.submit(lambda: [replace_it(n) for n in range(1, 40)])
        searched = 0
        while not writing.done():
            assert [h.document for h in searcher.search(CORPUS, "钨灯丝怎么更换？")] == ["a.txt"]
            searched += 1
        writing.result()
    assert searched > 10


@pytest.mark.parametrize(
    ("corpus", "query", "says"), [("nothing", "x", "No corpus"), ("legal", "x" * 50_000, "50,000 characters")]
)
def test_bad_questions_are_refused(searcher: Searcher, corpus: str, query: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        searcher.search(corpus, query)


scores = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 30), max_size=6)
cosines = st.dictionaries(st.sampled_from("abcdef"), st.floats(-1, 1), max_size=6)


@given(scores, cosines, st.floats(0, 1))
@example({"a": 5e-324}, {"a": 1.0, "b": 0.0}, 0.25)  # so small that three quarters of it are all of it
@example({}, {"a": -0.5, "b": -0.1}, 0.5)
def test_fused_scores_lie_in_0_1_and_cover_all_candidates(
    keyword: dict[str, float], cosine: dict[str, float], weight: float
) -> None:
    fused = fuse(keyword, cosine, weight, 30.0)
    assert fused.keys() == keyword.keys() | cosine.keys()
    assert all(0 <= s <= 1 + 1e-9 for s in fused.values())


@given(scores)
def test_with_one_half_alone_the_order_is_its_own(keyword: dict[str, float]) -> None:
    fused = fuse(keyword, {}, 0.4, 30.0)
    order = sorted(fused, key=lambda i: fused[i])
    assert all(keyword[a] <= keyword[b] or keyword[a] - keyword[b] < 1e-6 for a, b in pairwise(order))


def test_what_is_mentioned_everywhere_is_still_found_where_it_is_the_matter(tmp_path: Path) -> None:
    keywords = Keywords(tmp_path)
    asked = Chunk("v", 0, "第三条 采购须经审批。", 0, 11, None, "办法 › 第三条")
    mentions = [Chunk("w", n, "违反本办法第三条的，依照规定处理。", 0, 17, None, f"细则 › {n}") for n in range(30)]
    keywords.write([asked, *mentions])
    keywords.reload()
    assert keywords.search("第三条第一款", 5)[0].id == "v:0"


@pytest.mark.parametrize(
    ("question", "begins"),
    [("第三条是什么", "第3条"), ("Article 3", "Article 3"), ("What does Section 3 say?", "Section 3"), ("clause 3", "3."), ("3.", "3.")],
)
def test_of_clauses_with_one_number_those_written_as_the_question_come_first(tmp_path: Path, question: str, begins: str) -> None:
    clauses = {"考勤办法 › 第3条": "第3条 " + "员工每日上下班打卡，漏打卡的由部门负责人核实后补签。" * 30,
               "Bylaws › Article 3": "Article 3. Members. " + "There are members of several classes. " * 30,
               "Rules › Section 3": "Section 3. Votes. " + "Each member votes on all matters. " * 5,
               **{f"办法 › 第{n}条": f"第{n}条 从略。" for n in range(10, 20)},
               "Lease › 3 Deposit": "3. Deposit. Two months.", "Guide › 3 Say": "3. What to say."}  # fmt: skip
    settings, embedder = Settings(home=tmp_path, chroma_url=""), Given()
    write_profile(settings)
    manifest = Manifest(settings.root)
    corpus_id = manifest.open_corpus(CORPUS, stamp(embedder))  # type: ignore[arg-type]
    embedder.languages = ()  # by words alone
    for n, (context, text) in enumerate(clauses.items()):
        name, chunk = f"{n}.txt", Chunk(f"{n:016x}", 0, text, 0, len(text), None, context)
        document = Document(context.split(" › ")[0], text, ())
        manifest.add_version(chunk.version, CORPUS, chunk.version, "made", Path(name), 1, document, [chunk])
        Keywords(settings.root / "keywords" / corpus_id).write([chunk])
        manifest.place(CORPUS, f"/{name}", name, chunk.version, Look(1, n, 0))
    with Searcher(settings, embedder) as searcher:  # type: ignore[arg-type]
        hits = searcher.search(CORPUS, question)
    assert hits[0].chunk.text.startswith(begins)
