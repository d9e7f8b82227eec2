"""What others cite is preferred: titles as they stand and as they are cited, counted once a mention, never by the document itself."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.authority import MANY, WORTH, authority, count_citations, title_key
from ingest.feedback import feedback_terms, mix
from ingest.fit import fit
from ingest.index import Index
from ingest.search import Searcher
from ingest.settings import Settings


@pytest.mark.parametrize(
    ("title", "cited"),
    [
        ("中华人民共和国合同管理法（2020修订）", "合同管理法"),
        ("员工考勤管理办法 第三条", "员工考勤管理办法"),
        ("Safe Handling of Batteries (2024 edition)", "safe handling of batteries"),
    ],
)
def test_a_title_and_its_citation_have_one_key(title: str, cited: str) -> None:
    assert title_key(title) == title_key(cited)


def test_citations_are_counted_in_other_documents_alone() -> None:
    titles = [("a", "合同管理办法"), ("b", "采购细则"), ("c", "Safe Handling of Batteries"), ("d", "Notes")]
    texts = [
        ("a", "本办法称《合同管理办法》。"),
        ("b", "依照《合同管理办法》第三条，并按《合同管理办法》办理；另见《没有的办法》。"),
        ("d", "See Safe Handling of Batteries, and the notes on the safe handling of bottles."),
    ]
    assert count_citations(titles, texts) == {"合同管理办法": 2, "safe handling of batteries": 1}


@given(st.integers(0, 10_000))
def test_authority_grows_and_is_bounded(n: int) -> None:
    assert 1 <= authority(n) <= authority(n + 1) <= 1 + WORTH and authority(MANY) == 1 + WORTH


def test_feedback_terms_are_what_the_best_chunks_share() -> None:
    believed = [(["pump", "seal", "leak"], 2.0), (["pump", "seal", "torque"], 2.0), (["paint"], 0.1)]
    terms = feedback_terms(believed, lambda token: 1.0)
    assert sum(terms.values()) == pytest.approx(1.0)
    assert min(terms["pump"], terms["seal"]) > max(terms["leak"], terms["torque"]) > terms["paint"]
    assert feedback_terms([], lambda token: 1.0) == {}


scores = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 30), max_size=6)


@given(scores, scores, st.floats(0, 1))
def test_mixed_scores_lie_in_0_1_and_cover_both(asked: dict[str, float], shared: dict[str, float], weight: float) -> None:
    mixed = mix(asked, shared, weight)
    assert mixed.keys() == asked.keys() | shared.keys() and all(0 <= s <= 1 + 1e-9 for s in mixed.values())


def test_of_two_that_say_the_same_the_one_that_others_cite_comes_first(home: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", chroma_url="")
    (settings.root / "corpora" / "rules").mkdir(parents=True)
    (settings.root / "models").symlink_to(home / "models")
    (settings.root / "corpora" / "rules" / "profile.yaml").write_text("title: R\ndescription: R\nlanguages: [zh]\n")
    folder = tmp_path / "documents"
    folder.mkdir()
    said = "出差人员的住宿费按每天三百元报销，超过部分由本人承担。"
    for title in ("甲地差旅管理办法", "乙地差旅管理办法"):
        (folder / f"{title}.md").write_text(f"# {title}\n\n{said}\n", encoding="utf-8")
    for n in range(4):
        (folder / f"notice{n}.md").write_text(f"# 通知{n}\n\n伙食补助依照《乙地差旅管理办法》执行，编号{n}。\n", encoding="utf-8")
    index = Index("rules", settings)
    index.add([folder])
    question = "住宿费每天报销多少元？"
    with Searcher(settings) as searcher:
        before = [hit.document for hit in searcher.search("rules", question)]
        fit("rules", settings, index.embedder)
        after = [hit.document for hit in searcher.search("rules", question)]
    assert {name.rsplit("/", 1)[-1] for name in before[:2]} == {"甲地差旅管理办法.md", "乙地差旅管理办法.md"}
    assert after[0].endswith("乙地差旅管理办法.md") and set(after) == set(before)
