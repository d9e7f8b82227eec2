"""What a question asks for: its words without those that only ask, and what sort of answer it waits for."""

import re
from re import Pattern

from ingest.tokens import fold, tokens

# Chinese has no blanks: 什么 inside a run would make pairs with its neighbours that no answer has.
ASKING = re.compile(
    r"请问|请说明|什么样|什么|怎么样|怎么|怎样|哪些|哪个|哪里|哪儿|哪年|哪一|哪|多少|如何|何时|何地|何种|谁|是否|是不是|能不能|可不可以|有没有|为什么|为何"
    r"|多长时间|多长|多久|多大|几(?=[个天年月日次人条项页分种台名岁])|吗|呢|吧|啊"
)
DATED = re.compile(
    r"\d{4}\s*年|\d{1,2}\s*月|\d{1,2}\s*日|(?<!\d)(?:19|20)\d\d(?!\d)|\d{1,2}[:：]\d\d|[今明去昨]年"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b",
    re.I,
)
COUNTED = re.compile(
    r"\d|[一二三四五六七八九十百千万亿两]+[个名人次年天岁位元万亿倍]|\b(?:two|three|four|five|six|seven|eight|nine|ten|twice)\b", re.I
)
EXPECTED: tuple[tuple[Pattern[str], Pattern[str]], ...] = (
    (re.compile(r"哪年|哪一年|何时|什么时候|哪天|几月|几号|日期|^\s*when\b|\b(?:what|which) (?:year|date|day|month|time)\b", re.I), DATED),
    (re.compile(r"多少|几[个名人次年天岁位元]|多[大长高久重远]|金额|价格|数量|比例"
                r"|\bhow (?:many|much|long|old|far|often|high|large)\b", re.I), COUNTED),
)  # fmt: skip
FOR = re.compile(
    r"\b(?:what|which|who|whom|whose|when|where|why|how)\b|什么|哪|谁|多少|几[个名年天次人项条]|如何|怎么|怎样|为何|多[长久大高远]", re.I
)
HOW = re.compile(
    r"\bhow (?:do|does|did|can|could|to|should|would|is|are)\b|\bsteps?\b|\bprocedure\b"
    r"|步骤|流程|程序|怎么(?!样|规定|说)|如何|怎样",
    re.I,
)


def asked_words(question: str) -> set[str]:
    """The tokens that an answer may share with the question; all of them where nothing but question words stands there."""
    return set(tokens(ASKING.sub(" ", fold(question)))) or set(tokens(question))


def expected(question: str) -> Pattern[str] | None:
    """What an answer should hold that the question does not: a date, a figure; None where that cannot be told."""
    return next((answer for asks, answer in EXPECTED if asks.search(question)), None)


def answers(expects: Pattern[str] | None, question: str, text: str) -> bool:
    """Does `text` hold a date or figure of the sort expected, that is not the question's own?"""
    return expects is not None and bool(set(expects.findall(text)) - set(expects.findall(question)))


def asks_how(question: str) -> bool:
    """Does it ask for steps?"""
    return bool(HOW.search(question))


def asks_for(question: str) -> bool:
    """Does it ask for something, not whether something is so?"""
    return bool(FOR.search(question))
