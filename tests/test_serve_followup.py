"""Follow-ups become questions that stand alone, in Chinese and English; what brings its own subject stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.named import Names
from serve.followup import SHARE, standalone
from serve.followup_slots import Known

TITLES = {"lease": "Equipment Lease", "gifts": "Anti-Bribery and Gifts Policy", "buy": "铸件采购合同", "rent": "厂房租赁合同",
          "rules": "衡川机械有限公司合同管理办法"}  # fmt: skip
ROOM = 1000


def known(speaks: bool = True) -> Known:
    """Of a corpus with these five titles, whose documents speak of everything or of nothing that is asked."""
    names = Names()
    names.update((version, f"{version}.md", title) for version, title in TITLES.items())
    return Known(lambda text: bool(names.named(text)), lambda version: TITLES.get(version, ""), lambda version, question: speaks)


def alone(*turns: str, version: str = "", speaks: bool = True) -> str:
    history = []
    for turn in turns[:-1]:
        history += [{"role": "user", "content": turn}, {"role": "assistant", "content": "…", "version": version}]
    return standalone(turns[-1], history, len, SHARE * ROOM, known(speaks))


@pytest.mark.parametrize(
    ("turns", "rewritten"),
    [
        (("What is the oil charge of the SC-40?", "and for the SC-60?"), "What is the oil charge of the SC-60?"),
        (("What is the oil charge of the SC-40?", "And its mass?"), "What is the mass of the SC-40?"),
        (("What does SC-A04 mean?", "and SC-A05?", "And SC-A06?"), "What does SC-A06 mean?"),
        (("What does SC-A04 mean?", "What causes it?"), "What causes SC-A04?"),
        (("What is the mass of the SC-40?", "How high is the machine?"), "How high is the SC-40?"),
        (("What does SC-A04 on the SC-40 mean?", "and CP-P05?"), "What does CP-P05 mean?"),
        (("What was the revenue in 2021?", "what about 2022?"), "What was the revenue in 2022?"),
        (("How often is mineral oil changed?", "What about synthetic oil?"), "How often is synthetic oil changed?"),
        (("Who pays for tyres under the lease?", "And for broken glass?"), "Who pays for broken glass under the lease?"),
        (("How many days of notice are needed?", "And in winter?"), "How many days of notice are needed in winter?"),
        (("What does clause 6.3 of the lease say?", "and 6.4?"), "What does clause 6.4 of the lease say?"),
        (("To what torque are the anchor bolts of the HP-200 tightened?", "And the frame bolts of the BC-12?"),
         "To what torque are the frame bolts of the BC-12 tightened?"),
        (("How do I end the equipment lease?", "And the gifts policy?"), "How do I end the gifts policy?"),
        (("What does SC-A04 mean?", "Tell me more."), "What does SC-A04 mean?"),
        (("SC-40 的油量是多少？", "那扭矩呢？"), "SC-40 的扭矩是多少？"),
        (("SC-40 的油多久换一次？", "CP-80 呢？"), "CP-80 的油多久换一次？"),
        (("SC-A04是什么故障？", "SC-A05呢？"), "SC-A05是什么故障？"),
        (("2021年的营业收入是多少？", "2022年呢？"), "2022年的营业收入是多少？"),
        (("采购合同里甲方的违约责任是什么？", "乙方呢？"), "采购合同里乙方的违约责任是什么？"),
        (("采购合同里机身的单价是多少？", "飞轮呢？"), "采购合同里飞轮的单价是多少？"),
        (("合同管理办法第三十九条怎么规定的？", "第四十条呢？"), "合同管理办法第四十条怎么规定的？"),
        (("请假一日以内由谁批准？", "超过五日的呢？"), "请假超过五日由谁批准？"),
        (("一般合同的档案保管多少年？", "重大合同呢？", "未签署的呢？"), "未签署的合同的档案保管多少年？"),
        (("采购合同怎么终止？", "租赁合同呢？"), "租赁合同怎么终止？"),
        (("机身的单价是多少？", "它是什么材质？"), "机身是什么材质？"),
        (("年假的天数怎么算？", "其他假期呢？"), "其他假期的天数怎么算？"),
    ],
)  # fmt: skip
def test_the_part_that_changes_takes_its_place(turns: tuple[str, ...], rewritten: str) -> None:
    assert alone(*turns) == rewritten


@pytest.mark.parametrize(
    "question",
    [
        "What does fault code CH-A07 mean?",
        "Why must galvanised cans not be used for oils?",
        "And what should be done when a tub of grease has a layer of oil on top of it?",
        "Are samples that were damaged paid for, and up to what sum are they paid?",
        "Is it allowed to accept gift cards?",
        "Is there a limit to what a gift may cost?",
        "Who must tell the landlord that the conveyor is not part of the building?",
        "Thanks!",
        "合同专用章一共有几枚，分别由谁保管？",
        "发给企业的函有哪些内容不能写，其中能不能要求赞助？",
        "那份铸件采购合同里，模具归谁所有？",
        "CP-P05 的原因是什么，该怎么处理？",
        "那么样机测试期间每天用完以后要锁在哪里，由谁保管？",
        "婚假有几天？",
        "谢谢",
    ],
)
@pytest.mark.parametrize("before", ["What is the oil charge of the SC-40?", "厂房租赁合同的租期多长？"])
def test_a_new_topic_is_not_mixed_with_the_old_one(before: str, question: str) -> None:
    assert alone(before, question, version="rent", speaks=False) == question


def test_a_short_question_leans_where_the_cited_document_speaks_of_it() -> None:
    asked = "采购合同里乙方要保留多少安全库存？"
    assert alone(asked, "存放期多长？", version="buy") == "采购合同里乙方要保留安全库存，存放期多长？"
    assert alone(asked, "存放期多长？", version="buy", speaks=False) == "存放期多长？"
    longer = alone("What is the monthly rent?", "How long is the term?", version="lease")
    assert longer == "Equipment Lease, the monthly rent: How long is the term?"


def test_a_clause_asked_for_by_number_is_one_of_the_document_that_was_cited() -> None:
    assert alone("四单差异多少可以付款？", "第四十条呢？", version="rules") == "《衡川机械有限公司合同管理办法》第四十条怎么规定？"
    assert alone("What deposit is paid?", "And clause 4.4?", version="lease") == "What does clause 4.4 of Equipment Lease say?"
    assert alone("四单差异多少可以付款？", "第四十条呢？") == "第四十条怎么规定？"


@pytest.mark.parametrize(
    ("turns", "version", "rewritten"),
    [
        (("铸件采购合同里机身的单价是多少？", "该合同怎么终止？"), "", "铸件采购合同怎么终止？"),
        (("机身的单价是多少？", "该合同怎么终止？"), "buy", "《铸件采购合同》怎么终止？"),
        (("机身的单价是多少？", "该合同怎么终止？"), "", "机身的单价，该合同怎么终止？"),
        (("请假由谁批准？", "这份合同什么时候到期？"), "rent", "《厂房租赁合同》什么时候到期？"),
        (("合同管理办法第三十九条怎么规定的？", "该条有哪些例外？"), "rules", "合同管理办法第三十九条有哪些例外？"),
        (("乙方的违约责任是什么？", "该责任怎么免除？"), "buy", "乙方的违约责任怎么免除？"),
        (("合同专用章一共有几枚？", "该章由谁保管？"), "rules", "合同专用章由谁保管？"),
        (("SC-40 的油量是多少？", "该设备的扭矩是多少？"), "", "SC-40 的扭矩是多少？"),
        (("空压机的油量是多少？", "上述设备多重？"), "", "空压机多重？"),
    ],
)
def test_the_said_contract_and_the_said_machine_are_those_that_were_talked_about(
    turns: tuple[str, ...], version: str, rewritten: str
) -> None:
    assert alone(*turns, version=version) == rewritten


def test_what_it_is_outside_is_no_subject_of_the_talk() -> None:
    asked = "What is the oil charge of the SC-40?"
    for question in ("It is raining. Which fuse is in the pump?", "It's already late. Where is the main switch of the pump?"):
        assert alone(asked, question, speaks=False) == alone(asked, question) == question
    assert alone(asked, "It leaks. What should be done?") == "the oil charge of the SC-40 leaks. What should be done?"


def test_earlier_questions_are_read_up_to_their_share_of_the_budget() -> None:
    long = "What is the oil charge of the SC-40" + " and of others" * 80 + "?"
    assert len(long) > ROOM
    assert alone(long, "and for the SC-60?") == "and for the SC-60?"
    assert alone(long, "What does SC-A04 mean?", "and SC-A05?") == "What does SC-A05 mean?", "the last ones are read"


SAID = ["and its mass?", "SC-40 的油量是多少？", "乙方呢？", "What is it?", "它呢", "and 4.3?", "第四十条呢？"]
TALK = st.lists(st.one_of(st.text(max_size=60), st.sampled_from(SAID)), min_size=1, max_size=4)


@given(TALK, st.sampled_from(["", "lease", "buy", "gone"]), st.booleans())
def test_whatever_is_said_a_question_comes_out_and_the_same_each_time(turns: list[str], version: str, speaks: bool) -> None:
    question = alone(*turns, version=version, speaks=speaks)
    assert question == alone(*turns, version=version, speaks=speaks)
    assert len(question) <= sum(map(len, turns)) + 200
    assert bool(question.strip()) == bool(turns[-1].strip())


def test_whether_it_is_still_so_is_the_same_question() -> None:
    asked = "合同专用章外带的，应当在多少小时内归还？"
    assert alone(asked, "那现在呢？") == alone(asked, "目前还是这样吗？") == asked
