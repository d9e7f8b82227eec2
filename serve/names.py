"""Codes, names and parties of a sentence that the span does not have, or has for something else.  Part of the citation check."""

import re

from ingest.tokens import exact_tokens, fold, tokens
from serve.quantities import quantities
from serve.wording import belongs_elsewhere

NAME = re.compile(r"(?<!^)(?<![.!?:|\"'“‘]\s)(?<![\"'“‘`])\b[A-Z][a-z]{2,}\b")
PARTY = re.compile(
    r"[甲乙丙丁]方|(?:发包|承包|委托|受托|特许|加盟|托运|承运|披露|接收|出租|承租|主办|场馆|供应|采购|服务)方|买方|卖方|出租人|承租人"
    r"|用人单位|劳动者"
    r"|\b(?:tenant|landlord|lessor|lessee|buyer|seller|supplier|distributor|client|customer|contractor|provider|licen[cs]or|licen[cs]ee"
    r"|employer|employee|recipient|discloser|borrower|lender|insurer|insured|purchaser|vendor|consultant|owner|publisher|consumer"
    r"|producer|sender|receiver|server)(?=s?\b)",
    re.I,
)
ALIAS = re.compile(r"(?:^|[（(；;，,])\s*([\u4e00-\u9fff]{1,4}[方人])\s*[:：]\s*([^；;，,（()）:：]{2,20})")  # （买方：某某公司；卖方：…
PASSIVE = re.compile(r"被|由|\bby\b|\bfrom\b", re.I)
OFFICE = re.compile(
    r"(?![得由向报给经须应])[\u4e00-\u9fff](?![得由向报给经])[\u4e00-\u9fff](?:部门|管理局|委员会|办公室|董事会|监事会|部(?![门分件位署])(?<!全部)(?<!内部))|工会"
    r"|(?<=[由向报给经])[\u4e00-\u9fff]{2,4}(?:经理|主管|主任)"
)
LABEL = re.compile(
    r"(?<![A-Za-z0-9.-])[A-Z]{1,5}-?\d{1,5}(?:-[A-Z0-9]+)*(?![A-Za-z0-9-])|`[^`\n]{2,60}`|\b[A-Za-z_]\w+(?=\(\))"
)
PART = re.compile(r"(?<![\w.,-])\d{2,4}-\d{2,6}(?![\w-])")  # of a spare part: 200-6015
NO_CODE = re.compile(r"\d+(?:st|nd|rd|th|[a-z]{3,})|[ap]\.?m\.?")  # 5th, 30-second, p.m.


def by_role(text: str, context: str) -> str:
    """`text` with the names that the context gives to the parties as the parties: 甲方 for the company that is 甲方."""
    for role, name in ALIAS.findall(context):
        text = text.replace(name, role)
    return text


def wrong_name(sentence: str, span: str, around: str) -> str:
    """The first code, name or party of the sentence that the span does not have, or has for something else."""
    known = set(tokens(around)) | exact_tokens(around)
    folded, text, low = fold(sentence), fold(span), fold(around).lower()
    figures = [folded[q.start : q.end].strip().lower() for q in quantities(folded)]
    for code in exact_tokens(sentence):
        if code not in known and not NO_CODE.fullmatch(code) and not any(code in figure for figure in figures):
            return f"another code: {code}"
    for label in LABEL.findall(folded):
        if label.strip("`() ").lower() not in low and not any(label.lower() in f for f in figures):
            return f"another code: {label}"
    parts = set(PART.findall(low))
    if parts and (other := next((part for part in PART.findall(folded) if part not in parts), "")):
        return f"another code: {other}"
    words = set(re.findall(r"\w+", low))
    for name in NAME.findall(sentence):
        if name.lower() not in words and name.lower() not in low and not set(tokens(name)) <= known:
            return f"another name: {name}"
    for pattern in (PARTY, OFFICE):
        theirs = {m[0].lower() for m in pattern.finditer(text)}
        for m in pattern.finditer(folded):
            if theirs and not any(m[0].lower() in t or t in m[0].lower() for t in theirs) and m[0].lower() not in text.lower():
                return f"another party: {m[0]}"
    mine, its = ([m[0].lower() for m in PARTY.finditer(t)] for t in (folded, text))
    if sorted(mine) == sorted(its) and mine != its and not PASSIVE.search(folded) and not PASSIVE.search(text):
        return f"parties exchanged: {' '.join(mine)}"
    places = [(m[0].lower(), m.span()) for m in LABEL.finditer(text)]
    for m in LABEL.finditer(folded):
        same, rivals = [at for p, at in places if p == m[0].lower()], [at for p, at in places if p != m[0].lower()]
        if same and rivals and belongs_elsewhere(folded, m.span(), text, same, rivals):
            return f"a code of something else: {m[0]}"
    return ""
