"""Who does what: the agents and the receivers that a text names, and a sentence that gives a deed to somebody else.

Part of the citation check.
"""

import re
from typing import NamedTuple

from serve.reading import Reading, Term, base, reading, senses

_WHO = r"([\u4e00-\u9fff]{2,8}?)"
_MODALS = r"应当|应该|必须|可以|有权|不得|负责(?!人)|务必|应(?!急)|须|要|可(?!用)"
VERBS_ZH = (
    "批准|审批|审核|审查|审议|同意|许可|承担|负担|支付|缴纳|申请|办理|提出|提交|递交|报告|汇报|通知|处理|保管|维修|检查|检测|签字|签发|签署|主持|监督"
    "|备案|登记|组织|协助|采购|购买|赔偿|退还|返还|交付|验收|维护|修改|复核|核实|确认|决定|负责(?!人)|下令|开具|提供|出具|培训|鉴定|核销|制定|发布|公布|交底"
    "|享有|取得|所有|接收|领取|记录|记入|解除|终止|转租|保存|归档|安排|牵头|实施|执行|签收|投保|盖章|用印|付|出|批|审|管|交|报|买|修|赔|退|给"
)
_STOPS = (
    rf"(?={_MODALS}|需|得|在|自|于|来|直接|单独|统一|自行|按|每|代|不|未|{VERBS_ZH})"
)
ZH = [
    ("agent", re.compile(rf"(?<![理自])由{_WHO}{_STOPS}")),
    ("leave", re.compile(rf"(?:经(?!营|济|常|理|过)|报(?!告|送|名|销|废)|请(?!假)|听){_WHO}(?={VERBS_ZH})")),
    ("receiver", re.compile(rf"(?:向|归(?!还|档)|到(?!达|期|场)|给(?!予|付)){_WHO}(?={VERBS_ZH}|所有|$)")),
    ("agent", re.compile(rf"^[，、且并则而但]?{_WHO}(?={_MODALS}|自)")),
    ("agent", re.compile(rf"^[，、且并则而但]?{_WHO}(?={VERBS_ZH})")),
]  # fmt: skip
VERB_ZH = re.compile(VERBS_ZH)
BEFORE_WHO = re.compile(r"^.*(?:情况下|时|后|前|的|内|由|经)")
BEHIND_WHO = re.compile(r"(?:单独|直接|仍|都|才|也|还|先|再|将|均|只|就|及时|立即|自行|统一|另行)+$")
SOMEBODY = re.compile(  # how the name of a person or body ends
    r"(?:[方人者部科处局室组队长员会厂院校商行师站所店司团总委村]|部门|单位|机关|领导|中心|主任|经理|企业|机构|用户|客户|学生|职工|教师|家长"
    r"|政府)$"
)
ANYBODY = re.compile(
    r"^(?:[各双对另任何哪某]|一方|他人|别人|谁)|^(?:part(?:y|ies)|sides?|it|they|he|she|this|that|who|which|you|we|each|both|either|other)$"
)
_NAME = r"(?:the |an? |its |their |each |any )?((?:[a-z][\w'-]+ ){0,2}?[A-Za-z][\w-]+)"
_ADVERBS = r"(?:not |also |only |then |always |never |immediately |at its own \w+,? |first |itself |\w+ly )*"
EN = [
    ("agent", re.compile(
        rf"(?:(?:^|[,;.:]\s*)(?:\d[\d.]*\s+)?|\bthat |\bwhich |\bbut |\band ){_NAME} (?:shall|must|may|can|will|should|cannot|ha(?:s|ve) to"
        rf"|needs? to|(?:is|are) (?:obliged|allowed|required|entitled|free|able|expected) to) {_ADVERBS}(?!be )(\w+)", re.I)),
    ("agent", re.compile(rf"\b(\w+(?:ed|en|t)) (?:[\w' -]{{0,40}} )?by {_NAME}\b(?! \w+ing)", re.I)),
    ("agent", re.compile(rf"\bit is (?:up to )?{_NAME} (?:who |that |to )(?:ha(?:s|ve) to |must |shall )?(\w+)", re.I)),
]  # fmt: skip

WHO_EN = re.compile(  # Who must, which party is responsible for
    r"^(?:who|which (?:party|side|department|person|role|of the \w+))\s+(?:(?:shall|must|may|can|will|should|has to|needs? to"
    r"|is (?:obliged|allowed|required|entitled|responsible|expected) (?:to|for)|is in charge of)\s+)?(?!is\b|are\b|was\b|has\b)(?=\w)",
    re.I,
)
WHO_ZH = re.compile(r"谁|哪一?方|哪个(?:部门|单位|人)|什么人")


class Role(NamedTuple):
    """Somebody, as agent, receiver, or who is asked for leave, and the verb."""

    kind: str
    who: str
    verb: str
    at: int


def roles(text: Reading) -> list[Role]:
    """Who the text says does what, or is given or asked for what."""
    found = []
    for start, end in text.clauses:
        clause = text.text[start:end]
        for kind, pattern in ZH:
            for m in pattern.finditer(clause):
                who, verb = BEHIND_WHO.sub("", BEFORE_WHO.sub("", m[1])), VERB_ZH.search(clause, m.end())
                deed = "归" if m[0][0] == "归" else verb[0] if verb else ""
                if SOMEBODY.search(who) and len(who) > 1 and not ANYBODY.search(who):
                    found.append(Role(kind, who, deed, start + m.start()))
    for n, (kind, pattern) in enumerate(EN):
        for m in pattern.finditer(text.text):
            name, deed = (m[2], m[1]) if n == 1 else (m[1], m[2])
            who = re.sub(r"^(?:but|and|or|so|then) ", "", name.lower())
            if not ANYBODY.search(who):
                found.append(Role(kind, who, base(deed), m.start()))
    return found


def wrong_role(said: Reading, has: Reading) -> str:
    """Who in the sentence does what the span says another does."""
    theirs = roles(has)
    for role in roles(said):
        given = role.kind == "receiver"
        same = [(_nearness(said, role, has, r), r) for r in theirs if (r.kind == "receiver") == given and _alike(r.verb, role.verb)]
        right = max((score for score, r in same if _one(r.who, role.who)), default=-1)
        if same and right < max(score for score, _ in same) - 1:
            return f"another does it: {role.who}"
    return ""


def answered(question: str, value: str) -> str:
    """What `value` says in answer to `question`: it does what the doer is asked for of. Empty where no doer is asked for."""
    asked = question.strip().rstrip("?？ ")
    said = WHO_EN.sub(lambda m: f"{value} shall ", asked, count=1) if WHO_EN.match(asked) else WHO_ZH.sub(lambda m: value, asked, count=1)
    return said if said != asked else ""


def another_does(said: str, value: str, span: str) -> bool:
    """Does the span, which names `value` as somebody too, give to another what `said` has it do?"""
    has = reading(span)
    return any(_one(role.who, value.lower()) for role in roles(has)) and bool(wrong_role(reading(said), has))


def _nearness(said: Reading, role: Role, has: Reading, other: Role) -> int:
    """How many words the two roles' clauses share, each with the one before it, the names apart."""
    mine = {t.text for t in _about(said, role.at) if t.text not in role.who}
    return len(mine & {t.text for t in _about(has, other.at) if t.text not in other.who})


def _about(text: Reading, at: int) -> list[Term]:
    place = next((n for n, (a, b) in enumerate(text.clauses) if a <= at < b), 0)
    return text.within((text.clauses[max(place - 1, 0)][0], text.clauses[place][1])) if text.clauses else []


def _alike(one: str, two: str) -> bool:
    if not one or not two:
        return False
    if one == two:
        return True
    none = (frozenset[int](), frozenset[int]())
    return not senses().get((one,), none)[0].isdisjoint(senses().get((two,), none)[0])


def _one(one: str, two: str) -> bool:
    """May the two names be one's?"""
    short, long = sorted((one, two), key=len)
    if short in long:
        return long != f"被{short}"
    if one >= "\u4e00":
        return one[:2] in two or two[:2] in one or _alike(one, two)
    a, b = reading(one), reading(two)
    return any(b.has(t) for t in a.terms) or not a.terms or not b.terms
