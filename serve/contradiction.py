"""Where a sentence says yes to a span's no, may to its must, or a word to its opposite.  Part of the citation check."""

import re

from serve.wording import PIECE, clauses, content, pairs

DENIED = 0.7  # share of a denied clause's words that a sentence without a denial may not have
# what looks like a negation and is none
NO_NEGATION = re.compile(
    r"\bno(?:t)? (?:more|less|fewer|longer|later|earlier|higher|lower|over|greater) than\b|\bnot exceed\w*|\bnot only\b"
    r"|\bwhether or not\b|\bnot until\b"
    r"|不得?超过|没有超过|未超过|不得?[少低高多大小短]于|不足|未满|不满|不论|不管|无论|不同|不断|不锈|非常|不仅|不但|是否|未经处理"
    r"|不影响|不停止|不妨碍|不久|无关",
    re.I,
)
NEGATION = re.compile(
    r"\b(?:not|never|no|none|neither|nor|cannot|without|nobody|nothing|forbidden|prohibited|banned|refuse[sd]?|reject(?:s|ed)?"
    r"|fail(?:s|ed)?|except(?:ing)?|excluding|excluded|exempt|impossible|unable|invalid"
    r"|un(?:opened|signed|paid|marked|used|changed|altered|confirmed|touched|plugged|tested|known|limited|insured|authorised))\b"
    r"|n't\b|不|未|无|没|禁|勿|非(?!常)|除外|例外|免(?!得)|拒",
    re.I,
)
DUTY = re.compile(
    r"\b(?:must|shall|ha(?:s|ve) to|required?|requires|need(?:s|ed)?(?: to)?|obliged|mandatory)\b"
    r"|必须|应当|(?<![响反适供相对])应(?![用急答])|务必|须|得(?=[在要由把用先])",
    re.I,
)
LEAVE = re.compile(
    r"\b(?:may|allowed|permitted|entitled|free to|optional(?:ly)?)\b|可以|有权|允许|可(?=[由向将在用以不])", re.I
)
ADVICE = re.compile(
    r"\b(?:recommend(?:s|ed)?|advis(?:es?|ed|able)|should ideally|preferably|suggest(?:s|ed)?)\b|建议|推荐|宜(?!昌)|最好", re.I
)
# words of which one must not stand for the other
OPPOSITES = [
    (re.compile(a, re.I), re.compile(b, re.I))
    for a, b in (
        ("最长", "最短"), ("最高", "最低"), ("最多", "最少"), ("最大", "最小"), ("至少", "至多"), ("增加", "减少"), ("左", "右"),
        ("之前|以前", "之后|以后"), ("打开|开启", "关闭"), ("上级", "下级"), ("升高|上升", "降低|下降"), ("入库", "出库"),
        ("顺时针", "逆时针"), ("包括|包含", "除外|不包括"), ("提前", "延后|推迟"), ("全部", "部分"), (r"\bminimum\b", r"\bmaximum\b"),
        (r"\bbefore\b", r"\bafter\b"), (r"\b(?:above|over|higher|greater|more)\b", r"\b(?:below|under|lower|less)\b"),
        (r"\bopen(?:s|ed|ing)?\b", r"\bclos(?:e|es|ed|ing)\b"), (r"\bstart(?:s|ed)?\b", r"\bstop(?:s|ped)?\b"),
        (r"\bincreas\w*", r"\bdecreas\w*|\breduc\w*"), (r"\bleft\b", r"\bright\b"),
        (r"\binclud(?:e|es|ing|ed)\b", r"\bexcept\b|\bexclud\w*"), (r"\benabled?s?\b", r"\bdisabled?s?\b"),
        (r"\bearl(?:y|ier|iest)\b", r"\blate(?:r|st)?\b"), (r"\bwith\b", r"\bwithout\b"), (r"\bfront\b", r"\brear\b"),
        (r"\bupper\b", r"\blower\b"), (r"\bclockwise\b", r"\banticlockwise\b|\bcounterclockwise\b"),
        (r"\bhighest\b", r"\blowest\b"), (r"\bfirst\b", r"\blast\b"), (r"\binternal\b", r"\bexternal\b"),
    )
]  # fmt: skip
ANY = re.compile(
    r"\bwhether or not\b|\bregardless\b|\bin (?:all|any) cases?\b|\balways\b|\bwhatever\b|\bno matter\b|不论|无论|不管|一律|任何情况|只要",
    re.I,
)
EACH = re.compile(r"任何|所有|凡|各方|\b(?:any|either)\b", re.I)
IF = re.compile(
    r"\bif\b|\bunless\b|\bonly\b|\bexcept\b|\bwhen\b|\bwhere\b|\bon .{3,30} with\b|低于|高于|超过|除外|逾期|的[，,]|时[，,]", re.I
)


def contradicted(sentence: str, span: str) -> str:
    """Where a clause of the sentence says yes to the span's no, may to its must, or a word to its opposite."""
    if ANY.search(sentence) and IF.search(span) and not ANY.search(span) and not EACH.search(span):
        return "a condition left out"
    theirs = [(c, set(content(c)) | pairs(c), piece) for piece in PIECE.split(span) if piece.strip() for c in clauses(piece)]
    everything, denied = set(content(sentence)), negations(sentence)
    whole = everything | pairs(sentence)
    words = [(set(content(piece)) | pairs(piece), piece) for piece in PIECE.split(span)]
    nearest = max(((len(whole & has) / (3 + len(has)) ** 0.5, piece) for has, piece in words if has), default=(0.0, ""))[1]
    for clause in clauses(sentence):
        terms = set(content(clause)) | pairs(clause)
        scored = sorted(((len(terms & has) / (1 + len(has)) ** 0.5, n) for n, (_, has, _) in enumerate(theirs)), reverse=True)
        near = [theirs[n] for score, n in scored if score >= 0.75 * scored[0][0] and len(terms & theirs[n][1]) >= 2]
        if not near:
            continue
        mine = negations(clause)
        turned = all(mine % 2 != negations(c) % 2 and denied % 2 != negations(piece) % 2 for c, _, piece in near)
        if turned and denied % 2 != negations(nearest) % 2:
            return f"negated: {clause.strip()}"
        plain = [c for c, _, _ in near if not negations(c)]
        if not mine and plain and len(plain) == len(near):
            duty, leave, advice = DUTY.search(clause), LEAVE.search(clause), ADVICE.search(clause)
            if duty and not leave and all((LEAVE.search(c) or ADVICE.search(c)) and not DUTY.search(c) for c in plain):
                return f"a duty that is none: {clause.strip()}"
            if (leave or advice) and not duty and all(DUTY.search(c) and not LEAVE.search(c) for c in plain):
                return f"a duty made a choice: {clause.strip()}"
        other = near[0][0]
        for a, b in OPPOSITES:
            for one, two in ((a, b), (b, a)):
                if one.search(clause) and not two.search(sentence) and two.search(other) and not one.search(span):
                    return f"the opposite: {clause.strip()}"
    if not denied:
        for clause, _, _ in theirs:
            terms = set(content(NEGATION.sub(" ", clause)))
            if negations(clause) and terms and len(terms & everything) >= DENIED * len(terms):
                return f"what the span denies: {clause.strip()}"
    return ""


def negations(text: str) -> int:
    return len(NEGATION.findall(NO_NEGATION.sub(" ", text)))
