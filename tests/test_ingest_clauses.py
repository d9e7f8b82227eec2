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
        ("ARTICLE 2 - PAYMENT", (2,)), ("ARTICLE II – PAYMENT", (2,)), ("三、违约责任", (3,)),
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


def test_an_article_stands_above_its_sections_though_they_begin_anew_in_each() -> None:
    chunks = chunks_of(
        "ARTICLE I\nOFFICES", "Section 1. Principal Office. It is in Utah.", "Section 2. Other Offices. The board may open others.",
        "ARTICLE II PAYMENT", "Section 1. Fees. The client pays them.", "Section 2. Late Fees. Interest is due.", "1. first;", "2. then.",
        "Article III", "Section 1. Term. It is one year.", title="Bylaws", cap=200,
    )  # fmt: skip
    assert trail(chunks) == [
        "Bylaws › ARTICLE I OFFICES › Section 1 Principal Office", "Bylaws › ARTICLE I OFFICES › Section 2 Other Offices",
        "Bylaws › ARTICLE II PAYMENT › Section 1 Fees", "Bylaws › ARTICLE II PAYMENT › Section 2 Late Fees",
        "Bylaws › Article III › Section 1 Term",
    ]  # fmt: skip
    assert chunks[3].text.strip().endswith("2. then.")


def test_sections_numbered_with_their_article_lie_under_it() -> None:
    chunks = chunks_of("ARTICLE II - PAYMENT", "Section 2.01 Fees. The client pays.", "Section 2.02 Taxes. The client pays them.",
                       "ARTICLE III - TERM", "Section 3.01 Length. One year.", title="Contract", cap=200)  # fmt: skip
    assert trail(chunks) == [
        "Contract › ARTICLE II - PAYMENT › Section 2.01 Fees", "Contract › ARTICLE II - PAYMENT › Section 2.02 Taxes",
        "Contract › ARTICLE III - TERM › Section 3.01 Length",
    ]  # fmt: skip


def test_a_section_that_gathers_articles_stands_above_them() -> None:
    chunks = chunks_of(
        "CHAPTER I\nScope", "Article 1", "This applies.", "Article 2", "Words mean this.", "CHAPTER II\nRights", "Section 1\nNotice",
        "Article 3", "Tell.", "Section 2\nAccess", "Article 4", "Ask.", title="Act", cap=200,
    )  # fmt: skip
    assert trail(chunks) == [
        "Act › CHAPTER I Scope › Article 1", "Act › CHAPTER I Scope › Article 2",
        "Act › CHAPTER II Rights › Section 1 Notice › Article 3", "Act › CHAPTER II Rights › Section 2 Access › Article 4",
    ]  # fmt: skip


def test_short_clauses_are_their_own_text_and_annexes_stand_side_by_side() -> None:
    chunks = chunks_of(
        "1. Term", "2. Rent", "3. Deposit", "SCHEDULE A", "1. Goods", "2. Delivery", "Annex B", "1. Other",
        "Appendix 1 – Notices", "They are in writing.", "附件一", "附录", "未尽事宜。", title="Lease", cap=200,
    )  # fmt: skip
    assert [(c.context, c.text.strip()) for c in chunks] == [
        ("Lease › 1. Term", "1. Term"), ("Lease › 2. Rent", "2. Rent"), ("Lease › 3. Deposit", "3. Deposit"),
        ("Lease › SCHEDULE A › 1. Goods", "SCHEDULE A\n\n1. Goods"), ("Lease › SCHEDULE A › 2. Delivery", "2. Delivery"),
        ("Lease › Annex B › 1. Other", "Annex B\n\n1. Other"),
        ("Lease › Appendix 1 – Notices", "Appendix 1 – Notices\n\nThey are in writing."),
        ("Lease › 附件一", "附件一"), ("Lease › 附录", "附录\n\n未尽事宜。"),
    ]  # fmt: skip


def test_short_clauses_on_lines_of_one_paragraph_keep_their_numbers() -> None:
    chunks = chunks_of("1. Term.\n2. Rent: 500 euro.\n3. Deposit.", title="Lease", cap=200)
    assert [(c.context, c.text.strip()) for c in chunks] == [
        ("Lease › 1", "1. Term."), ("Lease › 2", "2. Rent: 500 euro."), ("Lease › 3", "3. Deposit."),
    ]  # fmt: skip


def test_an_annex_begins_within_a_paragraph_only_after_a_sentence() -> None:
    chunks = chunks_of("1. Goods are set out in\nAnnex B\nand paid.\nAnnex A\nPumps.\nSchedule 1: prices\nAs listed.",
                       title="Sale", cap=200)  # fmt: skip
    assert trail(chunks) == ["Sale › 1. Goods are set out in", "Sale › Annex A", "Sale › Schedule 1: prices"]
    assert "and paid." in chunks[0].text


def test_an_annex_after_one_that_is_a_heading_is_not_part_of_it() -> None:
    writer = Writer("Contract")
    writer.heading(1, "Annex B")
    for paragraph in ("1. Goods. Pumps.", "Schedule A", "Prices as listed."):
        writer.paragraph(paragraph)
    writer.paragraph("附件1")
    writer.heading(1, "需求清单")
    writer.paragraph("接口一个。")
    chunks = chunk(writer.document(), "v", lambda texts: [len(t) for t in texts], 200, "legal")
    assert trail(chunks) == ["Contract › Annex B › 1 Goods", "Contract › Schedule A", "Contract › 需求清单"]
    assert chunks[2].text.startswith("附件1")


def test_chinese_numerals_stand_above_figures_that_begin_anew_under_them() -> None:
    chunks = chunks_of("一、标的", "1. 甲方交付。", "2. 乙方验收。", "二、价款", "1. 分期支付。", "三、违约责任", "违约方赔偿。",
                       title="合同", cap=200)  # fmt: skip
    assert trail(chunks) == [
        "合同 › 一、标的 › 1", "合同 › 一、标的 › 2", "合同 › 二、价款 › 1", "合同 › 三、违约责任",
    ]  # fmt: skip


def test_chinese_numerals_that_number_a_list_are_no_clauses() -> None:
    chunks = chunks_of("1. 标的", "一、水泵；", "二、阀门。", "2. 价款", "一、预付款；", "二、尾款。", title="合同", cap=200)
    assert trail(chunks) == ["合同 › 1. 标的", "合同 › 2. 价款"]
    chunks = chunks_of("第一条 下列情形除外：", "一、抢修；", "二、救灾。", "第二条 本办法自发布之日起施行。", cap=200)
    assert trail(chunks) == ["办法 › 第一条", "办法 › 第二条"]


@pytest.mark.parametrize(
    "name",
    ["附录A 还款计划", "附录B：担保", "附件1", "附件 1 清单", "附录 A", "附表A-1", "ANNEX: REPAYMENT PLAN", "ANNEX", "Annex",
     "Exhibit A-1", "Exhibit A-1 Fees", "Schedule 1.2"],
)  # fmt: skip
def test_an_annex_may_have_a_letter_a_number_in_a_number_or_none(name: str) -> None:
    assert trail(chunks_of("第一条 甲。", "第二条 乙。", name, "房产抵押。"))[-1] == f"办法 › {name}"


@pytest.mark.parametrize("line", ["附录A和附录B同样适用。", "附录A 和附录B 适用", "Annex: see overleaf.", "Annex the list.", "schedule",
                                  "Exhibit A-1 of the Contract", "Schedule 1.2 shall apply"])  # fmt: skip
def test_a_line_that_speaks_of_an_annex_is_none(line: str) -> None:
    assert trail(chunks_of("第一条 甲。", "第二条 乙。", line, "房产抵押。"))[-1] == "办法 › 第二条"


def test_a_clause_may_be_set_off_by_a_comma_before_its_title() -> None:
    chunks = chunks_of("第一条、房屋地址\n位于幸福路。", "第二条、租期\n一年。", "第一条、第二条不得变更", "第三条、其他\n一式两份。",
                       chunker="auto")  # fmt: skip
    assert trail(chunks) == ["办法 › 第一条、房屋地址", "办法 › 第二条、租期", "办法 › 第三条、其他"]


def test_a_clause_that_begins_with_a_reference_counts_if_it_is_the_next() -> None:
    chunks = chunks_of("第一条 本法第十条所称部门，是指市局。", "第九条 第十条规定的除外。", "第二条 第一条所称部门应当公开流程。",
                       "第三条 第二条规定的流程每年修订。", "第四条 施行。")  # fmt: skip
    assert trail(chunks) == ["办法 › 第一条", "办法 › 第二条", "办法 › 第三条", "办法 › 第四条"]
    assert "第九条" in chunks[0].text


def test_figures_under_a_bracketed_list_are_no_clauses() -> None:
    chunks = chunks_of("一、概况", "（一）名称：一号厂房。", "（二）地点：", "1、主体；", "2、附属。", "（三）分包：", "1、电气。",
                       "二、工期", "1、开工；", "（一）甲；", "（二）乙；", "2、竣工。", title="合同", cap=200)  # fmt: skip
    assert trail(chunks) == ["合同 › 一、概况", "合同 › 二、工期 › 1", "合同 › 二、工期 › 2"]
    assert chunks[0].text.strip().endswith("1、电气。")


def test_lettered_parts_count_where_b_follows_a() -> None:
    clauses = ("1. Scope. This governs it.", "2. Fees. They are due.")
    chunks = chunks_of("Part A - Supply", *clauses, "Part B - Services", *clauses, "Part A applies.", title="Terms", cap=200)
    assert trail(chunks) == [
        "Terms › Part A - Supply › 1 Scope", "Terms › Part A - Supply › 2 Fees",
        "Terms › Part B - Services › 1 Scope", "Terms › Part B - Services › 2 Fees",
    ]  # fmt: skip
    assert trail(chunks_of("Part B", *clauses, title="Terms", cap=200)) == ["Terms", "Terms › 1 Scope", "Terms › 2 Fees"]
