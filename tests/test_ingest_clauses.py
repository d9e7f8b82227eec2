"""Clauses keep their numbers: only a number that begins a paragraph, is no cross-reference and is in sequence opens one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.chunkers import chunk
from ingest.chunkers.numbers import CLAUSE, Numbered, in_sequence, numbered
from ingest.readers.writer import Writer
from ingest.schema import Chunk, Chunker


def chunks_of(*paragraphs: str, chunker: Chunker = "legal", title: str = "办法", cap: int = 60) -> list[Chunk]:
    writer = Writer(title)
    for paragraph in paragraphs:
        writer.paragraph(paragraph)
    return chunk(writer.document(), "v", lambda texts: [len(t) for t in texts], cap, chunker)


def trail(chunks: list[Chunk]) -> list[str]:
    return [c.context for c in chunks]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("第三十九条 用人单位", (39,)), ("第39条　用人单位", (39,)), ("第十七条之一 已满", (17, 0, 1)),
        ("第三百九十一条 第三人提供", (391,)),
        ("Article 12. Term", (12,)), ("Section 3.1 This policy", (3, 1)), ("CLAUSE 7", (7,)), ("Article IV Payment", (4,)),
        ("11.5.14 Testing", (11, 5, 14)), ("12. Liability", (12,)), ("1.1本合同所称", (1, 1)), ("2.1\tApplication", (2, 1)),
        ("第三十九条规定的情形", None), ("第39条、第40条", None), ("第十条第二款", None), ("第十条至第十五条", None),
        ("第十条 规定的", None),
        ("Section 5 applies to", None), ("Article 12(3) shall", None), ("Section 409A of", None), ("Clause 4 and 5", None),
        ("11.5.14.2的试验", None), ("11.5.14.2 的试验", None), ("5.2 mm of travel", None), ("3 machines", None), ("2024 年", None),
    ],
)  # fmt: skip
def test_what_a_number_at_the_head_of_a_paragraph_is(text: str, value: tuple[int, ...] | None) -> None:
    found = numbered(text, 0, len(text))
    assert (found.value if found else None) == value


@given(st.lists(st.integers(1, 40), max_size=60))
def test_a_sequence_rises_and_is_not_shorter_than_the_one_that_counts_up(values: list[int]) -> None:
    found = [Numbered(i, i + 1, CLAUSE, (v,), True, True) for i, v in enumerate(values)]
    kept = in_sequence(found)
    assert all(a.value < b.value and a.start < b.start for a, b in pairwise(kept))
    up = 0
    for value in values:
        up += value == up + 1
    assert len(kept) >= up


def test_a_cross_reference_is_no_heading_and_a_clause_keeps_its_number() -> None:
    chunks = chunks_of(
        "第一章 总则", "第一条 甲方负责交付。", "第二条 乙方付款。", "第九条规定的情形除外。",
        "第九条所称情形，包括不可抗力。", "第三条 本办法自发布之日起施行。",
    )  # fmt: skip
    assert trail(chunks) == ["办法 › 第一章 总则 › 第一条", "办法 › 第一章 总则 › 第二条", "办法 › 第一章 总则 › 第三条"]
    assert "第九条所称" in chunks[1].text


def test_a_long_article_names_itself_and_its_paragraph_in_each_chunk() -> None:
    first, second = "第七条 " + "先审批后签署。" * 7, "经口头同意可以先行委托。" * 4
    chunks = chunks_of(first, second, "（一）抢修；", "（二）事故处置。", "第八条 其他。", cap=70)
    assert trail(chunks) == ["办法 › 第七条", "办法 › 第七条 › 第二款", "办法 › 第八条"]


def test_lines_of_one_paragraph_are_parted_at_their_articles() -> None:
    chunks = chunks_of("第一条 甲。\n第二条 乙。\n依照第三条办理。\n第三条 丙。")
    assert [c.text.strip() for c in chunks] == ["第一条 甲。", "第二条 乙。\n依照第三条办理。", "第三条 丙。"]


def test_english_clauses_nest_and_a_list_is_none() -> None:
    chunks = chunks_of(
        "1. Supply", "1.1 The Supplier delivers:", "1. pumps;", "2. valves.", "1.2 Payment. The Customer pays within 30 days.",
        "2. Term", "2.1 The term is one year.", "Section 1.1 applies to renewals.", title="Contract", cap=200,
    )  # fmt: skip
    assert trail(chunks) == ["Contract › 1. Supply › 1.1", "Contract › 1. Supply › 1.2 Payment", "Contract › 2. Term › 2.1"]
    assert "valves" in chunks[0].text and chunks[2].text.endswith("renewals.")


def test_an_annex_counts_for_itself() -> None:
    chunks = chunks_of("第一条 甲。", "第二条 乙。", "第三条 丙。", "附件一", "第一条 丁。", "第二条 戊。")
    assert trail(chunks)[-2:] == ["办法 › 附件一 › 第一条", "办法 › 附件一 › 第二条"]


def test_auto_tells_a_law_from_prose_that_cites_one() -> None:
    law = ("第一条 甲。", "第二条 乙。", "第三条 丙。")
    prose = ("依据第一条办理。", "第二条规定的情形除外。", "第三条所称设备。")
    assert chunks_of(*law, chunker="auto")[1].context == "办法 › 第二条"
    assert len(chunks_of(*prose, chunker="auto")) == 1


def test_a_fault_code_names_its_row_and_its_paragraphs() -> None:
    writer = Writer("Manual X100")
    writer.heading(1, "5 Faults")
    writer.table([["Code", "Meaning"], ["E07", "Too hot"], ["E08", "Too cold"]])
    writer.heading(1, "6 Remedies")
    for line in ("E07: Overheating", "Clean the cooler.", "E08: Icing", "Warm it."):
        writer.paragraph(line)
    chunks = chunk(writer.document(), "v", lambda texts: [len(t.split()) for t in texts], 60, "maintenance")
    assert trail(chunks)[1:] == [
        "Manual X100 › 5 Faults › E07: Code | Meaning", "Manual X100 › 5 Faults › E08: Code | Meaning",
        "Manual X100 › 6 Remedies › E07", "Manual X100 › 6 Remedies › E08",
    ]  # fmt: skip
    assert "Clean the cooler." in chunks[3].text and "E08" not in chunks[3].text


def test_a_warning_and_an_announcement_stay_with_what_follows() -> None:
    filler = "Filler words that take up room. " * 3
    steps = ("WARNING: the tank holds pressure.", "1. Open the vent valve slowly and wait.")
    chunks = chunks_of(filler, *steps, chunker="maintenance", cap=110)
    assert [c.text.startswith("WARNING") for c in chunks] == [False, True]


def test_a_context_is_shortened_before_it_is_cut_unseen() -> None:
    writer = Writer("A very long title " * 8)
    for level in range(1, 5):
        writer.heading(level, f"Heading {level} " + "that goes on and on " * 5)
    writer.table([["column one", "column two"], ["a b c", "d e f"]])
    for c in chunk(writer.document(), "v", lambda texts: [len(t.split()) for t in texts], 20, "prose", 40):
        assert len(f"{c.context}\n{c.text}".split()) <= 40


def test_items_of_a_list_are_no_clauses_though_they_go_on_from_the_last_one() -> None:
    chunks = chunks_of("第一条 为了规范采购，制定本办法。", "第二条 本办法适用于本公司。", "第三条 采购按下列步骤进行：",
                       "1. 提出申请；", "2. 审批；", "3. 询价；", "4. 签订合同；", "5. 验收。", cap=20)  # fmt: skip
    assert {c.context.split(" › ")[1] for c in chunks} == {"第一条", "第二条", "第三条"}


def test_a_table_is_no_paragraph_of_its_clause() -> None:
    writer = Writer("办法")
    for paragraph in ("第一条 总则。", "第二条 标准如下。"):
        writer.paragraph(paragraph)
    writer.table([["级别", "金额"], ["甲", "100"], ["乙", "80"], ["丙", "60"]])
    writer.paragraph("前款标准每年调整一次，由财务部门公布。")
    chunks = chunk(writer.document(), "v", lambda texts: [len(t) for t in texts], 24, "legal")
    assert chunks[-1].context.endswith("第二款")
