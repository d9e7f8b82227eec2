"""What a question asks of all the documents, where it says so plainly: list every place, count them, compare things, sum up a document.

A question that is not plainly one of these is none: it is answered from the best passages, as any other.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ingest.tokens import RUN, STOP, is_cjk
from serve.followup_slots import codes

Kind = Literal["list", "count", "compare", "summary"]
Unit = Literal["line", "row", "clause", "document", "fault"]


@dataclass(frozen=True, slots=True)
class Intent:
    kind: Kind
    lang: Literal["en", "zh"]
    what: str  # what is looked for; it may name a document too. Empty: everything in `where`
    where: str = ""  # the document that it is looked for in, where that is said apart
    unit: Unit = "line"  # what is counted
    literal: bool = False  # it asks for what says those words, not for what is about them
    things: tuple[str, ...] = ()  # what is compared, as it is written


UNITS: tuple[tuple[Unit, str], ...] = (
    ("clause", r"articles?|clauses?|sections?|provisions?|个?条款|条文|条规定|条"),
    ("row", r"rows?|records?|entries|entry|条?记录|行"),
    ("fault", r"faults?(?: codes?)?|alarms?|error codes?|个?故障(?:代码)?|个?报警"),
    ("document", r"documents?|files?|份文件|个文件|文件|份文档"),
    ("line", r"lines?|places?|passages?|sentences?|paragraphs?|chunks?|times|处|个?地方|段落?|句|次|章节|内容|规定"),
)
UNIT = "|".join(pattern for _, pattern in UNITS)
COUNTED = "|".join(pattern for unit, pattern in UNITS if unit in ("clause", "row", "fault"))  # a document has so many of them
ROWS = re.compile(r"(?:rows|records|entries)\b|条?记录$|行$", re.I)
SAYS = r"(?:mention|contain|include|name|speak of|refer to|talk about|deal with|concern)(?:s|ing)?"
SAYS_ZH = r"(?:提到|提及|涉及|包含|包括|写到|写有|出现|含有|说到)(?:了|过)?"
LITERAL = re.compile(r"\b(?:mention|contain|include)(?:s|ing)?\b|提到|提及|包含|包括|写到|写有|出现|含有|说到", re.I)
FAULTS = re.compile(r"\b(?:faults?(?: codes?)?|alarms?|error codes?)\b|故障|报警", re.I)
EN: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("list", re.compile(r"(?:please )?(?:list|name|find|show(?: me)?|give me) (?:all|every|each)(?: of)?(?: the)? (?P<what>.+)", re.I)),
    ("list", re.compile(rf"(?P<where>.*?)\bwhich (?P<unit>{UNIT}) {SAYS} (?P<what>.+)", re.I)),
    ("count", re.compile(rf"how many (?P<unit>{UNIT})(?: (?P<where>(?:of|in) .+?))? (?:(?:that|which) )?{SAYS} (?P<what>.+)", re.I)),
    ("count", re.compile(rf"how many (?P<unit>{COUNTED}) (?:are (?:there )?)?(?P<where>(?:of|in) .+?)(?: are there)?"
                         r"(?P<what>(?: (?:for|about|on|with|from) .+)?)", re.I)),
    ("count", re.compile(rf"how many (?P<unit>{COUNTED}) (?:does|do|has|have) (?P<where>the .+?) (?:have|contain|list)(?P<what>)", re.I)),
    ("count", re.compile(rf"count (?:all |every )?(?:the )?(?P<unit>{UNIT}) (?:that|which|where|with) (?:{SAYS} )?(?P<what>.+)", re.I)),
    ("compare", re.compile(r"(?:please )?compare (?P<what>.+)", re.I)),
    ("summary", re.compile(r"(?:please )?(?:summari[sz]e|sum up|give (?:me )?an? (?:summary|overview|outline) of) (?P<what>.+)", re.I)),
)
POLITE = r"(?:请|帮我|请帮我|麻烦)?"
WHERE = r"(?P<where>.{0,30}?)(?:里面?|中|内)?"
ZH: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("list", re.compile(rf"{POLITE}(?:列出|列举|罗列|列一下|找出){WHERE}(?:所有|全部|一切|每一?[条个项处])的?(?P<what>.+)")),
    ("list", re.compile(rf"{WHERE}都?有?哪些(?P<unit>{UNIT})[里中]?都?{SAYS_ZH}(?P<what>.+)")),
    ("count", re.compile(rf"{WHERE}(?:一共|总共|共)?有?(?:多少|几)(?P<unit>{UNIT})[里中]?{SAYS_ZH}(?P<what>.+)")),
    ("count", re.compile(rf"(?P<where>[^，,：:；;、]{{2,30}}?)(?:里面?|中|内)?(?:[一总]?共)?有?(?:多少|几)(?P<unit>{COUNTED})(?P<what>)")),
    ("compare", re.compile(rf"{POLITE}(?:比较|对比)(?:一下)?(?P<what>.+)")),
    ("summary", re.compile(rf"{POLITE}(?:总结|概括|概述|归纳)(?:一下)?(?P<what>.+)")),
)
ENDS = re.compile(r"[?？。.!！\s]+$")
# what is not in a line, or is more or less than its figure, is not found by looking for words
BUT = re.compile(
    r"\b(?:not|no|non|never|without|except|excluding|other than|apart from|but|above|below|over|under"
    r"|(?:more|less|longer|shorter|fewer) than)\b"
    r"|n't\b|不(?!可抗力|动产|锈|定时)|没有?|未(?!成年)|无(?!线|故)|除了?(?!尘)|以外|之外|以上|以下|超过|高于|低于|大于|小于",
    re.I,
)
QUOTED = re.compile(r"[\"“「『]([^\"“”」』]+)[\"”」』]")
FILLER = frozenset(
    "all every each list about regarding concerning related document documents file files place places line lines passage passages "
    "sentence sentences article articles clause clauses section sections row rows record records entry entries provision provisions "
    "fault faults alarm alarms please there word words difference between value values code codes mention mentions contain contains "
    "include includes name names speak refer talk deal concern concerns".split()
)
PARTICLES = re.compile(
    r"的|了|和|与|及|或|、|关于|有关|涉及|提到|提及|包含|里面?|中|内|条款|条文|规定|内容|记录|故障代码|故障|报警|地方|文件|所有|全部|一下|会|使|让|导致|引起"
)


def intent(question: str, names: Callable[[str], bool]) -> Intent | None:
    """What `question` plainly asks of all documents; None where it asks for something else. `names`: does a text name a document?"""
    asked = ENDS.sub("", " ".join(question.split()))
    patterns: tuple[tuple[Literal["en", "zh"], tuple[tuple[Kind, re.Pattern[str]], ...]], ...] = (("en", EN), ("zh", ZH))
    for lang, kinds in patterns:
        for kind, pattern in kinds:
            if not (m := pattern.fullmatch(asked)):
                continue
            groups = m.groupdict()
            where, what = (groups.get("where") or "").strip(" ,，在"), m["what"]
            if kind in ("list", "count") and BUT.search(QUOTED.sub("", what)):
                return None
            if where and not names(where):
                return None  # 一年有几次提到…: what stands before is no document, so it says something that is not understood
            if not (where or what):
                return None
            if kind == "compare":
                things = _things(what, names)
                return Intent(kind, lang, _aspect(what, things), things=things) if things else None
            if kind == "summary" and not names(what):
                return None
            return Intent(kind, lang, what, where, _unit(groups.get("unit") or "", what), bool(LITERAL.search(asked)))
    return None


def terms(what: str) -> list[str]:
    """What a line must have: what stands in quotation marks as it stands, else each word that says something."""
    if quoted := QUOTED.findall(what):
        return list(dict.fromkeys(quoted))
    found: list[str] = []
    for run in RUN.findall(what):
        if is_cjk(run[0]):
            found += [part for part in PARTICLES.split(run) if part]
        elif run.lower() not in STOP and run.lower() not in FILLER:
            found.append(run)
    return list(dict.fromkeys(found))


def _unit(said: str, what: str) -> Unit:
    for unit, pattern in UNITS:
        if said and re.fullmatch(pattern, said, re.I):
            return unit
    return "fault" if FAULTS.match(what) else "row" if ROWS.match(what) else "line"


def _things(what: str, names: Callable[[str], bool]) -> tuple[str, ...]:
    """The codes, else the documents, that are set beside each other; none where there are fewer than two."""
    own = tuple(dict.fromkeys(codes(what)))
    if len(own) > 1:
        return own
    before = re.split(r"\s+(?:on|by|as to|regarding)\s+|的(?!.*的)", what, maxsplit=1)[0]
    split = re.split(r"\s+(?:and|with|to|vs\.?)\s+|和|与|跟|、", before)
    parts = [re.sub(r"^(?:the|how|in)\s+", "", part.strip(), flags=re.I) for part in split]
    return tuple(parts) if len(parts) > 1 and all(map(names, parts)) else ()


def _aspect(what: str, things: tuple[str, ...]) -> str:
    for thing in things:
        what = what.replace(thing, " ")
    return re.sub(r"\b(?:and|with|to|vs|of|on|by)\b", " ", what, flags=re.I)
