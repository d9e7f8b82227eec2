"""A document that a question names is known by its title, its file's name, or a part of either; a common word is no name."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.named import Names

DOCUMENTS = {  # file: title
    "laws/劳动合同法（2012年修正）.txt": "中华人民共和国劳动合同法",
    "laws/劳动合同法实施条例.txt": "中华人民共和国劳动合同法实施条例",
    "laws/刑法.txt": "中华人民共和国刑法(2020年修正)",
    "laws/interpretation-1.docx": "最高人民法院关于适用《中华人民共和国民法典》婚姻家庭编的解释（一）",
    "laws/interpretation-2.docx": "最高人民法院关于适用《中华人民共和国民法典》继承编的解释（一）",
    "laws/amendment-1999.txt": "中华人民共和国宪法修正案（1999年）",
    "laws/amendment-2004.txt": "中华人民共和国宪法修正案（2004年）",
    "laws/rules.txt": "人民检察院刑事诉讼规则",
    "laws/rules-on-trial.txt": "人民检察院刑事诉讼规则（试行）",
    "contract-measures.docx": "衡川机械有限公司合同管理办法",
    "attendance.md": "衡川机械有限公司考勤与加班管理制度",
    "sc-40-screw-compressor-manual.pdf": "SC-40 Screw Compressor: Installation and Maintenance Manual",
    "cp-80-centrifugal-pump-manual.docx": "CP-80 Centrifugal Pump: Instruction and Service Manual",
    "sb-2044-sc-40-oil-interval.md": "Service Bulletin SB-2044 – SC-40 oil interval",
    "dc-15.pdf": "DC-15 型脉冲布袋除尘器维护手册",
    "kestrel-point-equipment-lease.md": "Equipment Lease",
    "src/backoff.py": "backoff.py",
    "config.md": "Config",
}


@pytest.fixture(scope="module")
def names() -> Names:
    names = Names()
    names.update((file, file, title) for file, title in DOCUMENTS.items())
    return names


@pytest.mark.parametrize(
    ("question", "begins"),
    [
        ("劳动合同法第三十九条", "laws/劳动合同法（"),
        ("《中华人民共和国劳动合同法》第39条怎么规定", "laws/劳动合同法（"),
        ("劳动合同法（2012修正）第三十九条", "laws/劳动合同法（"),
        ("劳动合同法实施条例第五条", "laws/劳动合同法实施条例"),
        ("刑法第二百三十二条", "laws/刑法"),
        ("民法典婚姻家庭编解释（一）第三条", "laws/interpretation-1"),
        ("宪法修正案（1999年）第十四条", "laws/amendment-1999"),
        ("人民检察院刑事诉讼规则第二条", "laws/rules.txt"),
        ("《人民检察院刑事诉讼规则（试行）》第二条", "laws/rules-on-trial"),
        ("合同管理办法第二十三条怎么规定？", "contract-measures"),
        ("《合同管理办法》怎么说", "contract-measures"),
        ("考勤制度第三十一条讲的是什么？", "attendance"),
        ("What is the oil charge according to the SC-40 manual?", "sc-40-screw"),
        ("SC40 manual: oil", "sc-40-screw"),
        ("sc-40-screw-compressor-manual.pdf oil", "sc-40-screw"),
        ("What does bulletin SB-2044 say?", "sb-2044"),
        ("DC-15手册里滤袋怎么换", "dc-15"),
        ("What does clause 8.5 in the Kestrel Point lease say?", "kestrel"),
        ("what does backoff.py do", "src/backoff.py"),
    ],
)
def test_a_document_is_named(names: Names, question: str, begins: str) -> None:
    (found,) = names.named(question)
    assert found.startswith(begins)


@pytest.mark.parametrize(
    "question",
    ["第二十三条", "What does the manual say?", "合同管理怎么做", "公司合同多久付款", "《消费者合同法》第三条", "管理办法",
     "How do I back off?", "the config of the pump", "Which oil, and when?", "加班算几倍工资", "", "《《》《"],
)  # fmt: skip
def test_a_common_word_is_no_name(names: Names, question: str) -> None:
    found = names.named(question)
    assert not found or (question == "管理办法" and found == {"contract-measures.docx"})  # the only one of its kind


def test_what_many_documents_are_called_names_none_of_them() -> None:
    names = Names()
    names.update((str(i), f"{i}/agreement.docx", "Master Services Agreement") for i in range(10))
    assert not names.named("Master Services Agreement clause 4")
    names.update([("one", "1/agreement.docx", "Master Services Agreement")])
    assert names.named("Master Services Agreement clause 4") == {"one"}
    names.update([])
    assert not names.named("Master Services Agreement clause 4")


@given(st.text(max_size=200))
def test_any_question_is_read(question: str) -> None:
    names = Names()
    names.update([("1", "劳动合同法.txt", "劳动合同法"), ("2", question, question)])
    assert names.named(question) <= {"1", "2"}


@given(
    st.lists(st.sampled_from(sorted(DOCUMENTS.items())), max_size=8),
    st.lists(st.sampled_from(sorted(DOCUMENTS.items())), max_size=8),
)
def test_what_was_there_before_leaves_nothing(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    updated, fresh = Names(), Names()
    updated.update((f, f, t) for f, t in before)
    updated.update((f, f, t) for f, t in after)
    fresh.update((f, f, t) for f, t in after)
    for file, title in DOCUMENTS.items():
        assert updated.named(title) == fresh.named(title) and updated.named(file) == fresh.named(file)


def test_ten_thousand_documents_cost_little() -> None:
    towns, topics, kinds = (
        "临江 滨海 青川 望湖 沙洲 东陵 白石 南浦 云台 长岭".split(),
        range(100),
        "管理办法 条例 规定 细则 暂行办法".split(),
    )
    titles = [f"{town}{chr(0x4E00 + 31 * n)}{chr(0x5200 + 17 * n)}{kind}{edition}" for town in towns for n in topics for kind in kinds
              for edition in ("", "（二）")]  # fmt: skip
    names = Names()
    names.update((str(i), f"{i}.txt", title) for i, title in enumerate(titles))
    start = time.perf_counter()
    for i in range(0, 1000, 10):
        assert str(i) in names.named(f"{titles[i]}第三十九条规定了什么？")
    assert (time.perf_counter() - start) / 100 < 0.02
