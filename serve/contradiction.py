"""Where a clause of the sentence says yes to the span's no, may to its must, a word to its opposite, or turns an order round.

Part of the citation check.
"""

import re

from serve.alignment import Aligned, aligned, likeness, moved, opposed, within
from serve.reading import NEGATION, Reading, Term, base, negations, reading
from serve.wording import PIECE, Place, clauses, content, pairs

DENIED = 0.7  # share of a denied clause's words that a sentence without a denial may not have
SURE = 0.65  # share of a clause that the span's clause must have before a word's opposite counts
MOVED = 0.75  # the same before a word from elsewhere in the span counts
BOUND = 0.5  # the same before its duty or choice is held against the span's
ALIKE = 0.4  # the same before what it says of all is held against what the span says of some
TURNED = 0.6  # how much better the two halves fit crosswise before an order counts as turned round
DUTY = re.compile(
    r"\b(?:must|shall|ha(?:s|ve) to|required?|requires|need(?:s|ed)?(?: to)?|obliged|mandatory"
    r"|bound to|compulsory|obligatory)\b"
    r"|必须|应当|(?<![响反适供相对])应(?![用急答])|务必|须|得(?=[在要由把用先])",
    re.I,
)
LEAVE = re.compile(
    r"\b(?:may|allowed|permitted|entitled|free to|optional(?:ly)?|voluntary|voluntarily|discretion)\b"
    r"|可以|有权|允许|可(?=[由向将在用以不])",
    re.I,
)
ADVICE = re.compile(
    r"\b(?:recommend(?:s|ed)?|advis(?:es?|ed|able)|should ideally|preferably|suggest(?:s|ed)?)\b|建议|推荐|宜(?!昌)|最好", re.I
)
CHOICE = re.compile(r"\b(?:can|need not|needn't|choose|no need)\b|不必|无需|自愿|任选", re.I)
# words of which one must not stand for the other
OPPOSITES = [
    (re.compile(a, re.I), re.compile(b, re.I))
    for a, b in (
        ("最长", "最短"), ("最高", "最低"), ("最多", "最少"), ("最大", "最小"), ("至少", "至多"), ("增加", "减少"), ("左", "右"),
        ("之前|以前", "之后|以后"), ("打开|开启", "关闭"), ("上级", "下级"), ("升高|上升", "降低|下降"), ("入库", "出库"),
        ("顺时针", "逆时针"), ("包括|包含", "除外|不包括"), ("提前", "延后|推迟"), ("全部", "部分"), (r"\bminimum\b", r"\bmaximum\b"),
        (r"\bbefore\b", r"\bafter\b|\bwithin (?:\w+ ){1,4}of\b"),
        (r"\b(?:above|over|higher|greater|more)\b", r"\b(?:below|under|lower|less)\b"),
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
ALL = re.compile(
    r"\b(?:any|all|every(?!\s*\x01)|always|both|everyone|anyone|everything|entire|whatever|no matter|regardless|whether)\b"
    r"|任何|所有|全部|一律|均|凡"
    r"|不论|无论|不管|只要",
    re.I,
)
NARROW = re.compile(
    r"\b(?:only|solely|exclusively|alone|unless|except(?:ing|ion)?|other than|apart from|outside|otherwise|but not)\b"
    r"|仅|只(?!要)|方可|才|除|例外|以外|之外",
    re.I,
)
# what turns a clause round as a denial does
FLIP = re.compile(
    r"\b(?:lack(?:s|ing)?|missing|absent|avoid(?:s|ed|ing)?|prevent\w*|cease[sd]?|unless|otherwise|outside|other than|apart from|besides)\b"
    r"|(?<![扣消清删排解去])除(?!外)[^，。；]{1,24}外|(?<!例)(?<!除)(?:以外|之外)|缺(?!省)",
    re.I,
)
# before or after what
EVENT = re.compile(
    r"(?P<zh>[\u4e00-\u9fff]{2})[之以]?(?P<side>[前后])"
    r"|\b(?P<when>before|after)\s+(?:the |an? |its |their |each |every )?(?P<en>[a-z]\w+)",
    re.I,
)
# one thing before another: which of the two groups is the earlier
ORDER: list[tuple[re.Pattern[str], int]] = [
    (re.compile(p.replace("(.+?)", "(.{1,160}?)"), re.I), first)  # within a sentence's length, or a long text takes its square
    for p, first in (
        (r"^\W*(?:before|prior to)\b(.+?),(.+)", 2),
        (r"^\W*(?:after|once|when|whenever|if|as soon as|where)\b(.+?),(.+)", 1),
        (r"\bfirst(?:ly)?\b(.+?)(?:\bthen\b|\bonly then\b|\bafterwards\b|;)(.+)", 1),
        (r"\b(?:begin|start) (?:by|with)\b(.+?)\b(?:and|then|before)\b(.+)", 1),
        (r"(.+?)\b(?:before|prior to|until)\b(.+)", 1),
        (r"(.+?)\b(?:only after|after|once|when|if|as soon as|where)\b(.+)", 2),
        (r"(.+?)[,;]?\s\b(?:then|afterwards|thereafter|only then)\b(.+)", 1),
        (r"先(.+?)(?:再|后|然后|才)(.+)", 1),
        (r"(.+?)(?:之前|以前|(?<![提目当])前(?!提|后))[，,]?(.+)", 2),
        (r"(.+?)(?:之后|以后|(?<![先前])后|时|的)[，,](.+)", 1),
        (r"(.+?)(?:方可|才能|才可|才|后(?!续|果))(.+)", 1),
        (r"(.+?)(?:然后|再)(.+)", 1),
    )
]


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
        if turned and denied % 2 != negations(nearest) % 2 and _odd(reading(sentence), reading(span)):
            return f"negated: {clause.strip()}"
        plain = [c for c, _, _ in near if not negations(c)]
        if not mine and plain and len(plain) == len(near):
            duty, leave, advice = DUTY.search(clause), LEAVE.search(clause), ADVICE.search(clause)
            free = all((LEAVE.search(p) or ADVICE.search(p)) and not DUTY.search(p) for _, _, p in near)
            if duty and not leave and free and all((LEAVE.search(c) or ADVICE.search(c)) for c in plain):
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
            if negations(clause) and terms and len(terms & everything) >= DENIED * len(terms) and _odd(reading(sentence), reading(span)):
                return f"what the span denies: {clause.strip()}"
    return ""


def beyond(said: Reading, has: Reading) -> str:
    """Where the sentence puts before an event what the span puts after it, or the other way round: 验收前付款 for 验收后付款."""
    mine, theirs = _events(said.text), _events(has.text)
    if negations(said.bare) % 2 != negations(has.bare) % 2:
        return ""  # not before the test is after it
    return next((f"the opposite: {shown}" for (event, side), shown in mine.items()
                 if (event, not side) in theirs and (event, side) not in theirs and (event, not side) not in mine), "")  # fmt: skip


def _events(text: str) -> dict[tuple[str, bool], str]:
    """Each event by which something is timed, and whether it is before it; with the words."""
    return {(m["zh"] or base(m["en"]), (m["side"] or m["when"].lower()) in ("前", "before")): m[0] for m in EVENT.finditer(text)}


def clashes(said: Reading, has: Reading) -> str:
    """Where a clause of the sentence has the opposite of the span's word, a word moved there, an order turned round, or all for some."""
    if (worst := _reordered(said, has)) >= TURNED:
        return f"another order: {worst:.1f}"
    for c in aligned(said, has):
        one, two = _wide(said, c.mine), _wide(has, c.theirs)
        other = opposed(said.within(c.mine), has.within(c.theirs)) or _worded(one, said.bare, two, has.bare)
        if other and c.share >= SURE and (_flips(one) + _flips(two)) % 2 == 0:
            return f"the opposite: {other}"
        if c.share >= MOVED and (word := moved(c, said, has)):
            return f"said of something else: {word}"
        even = _flips(one) % 2 == 0 and _flips(two) % 2 == 0
        if even and c.share >= BOUND and (fault := _bound(one, two)):
            return f"{fault}: {said.text[c.mine[0] : c.mine[1]].strip()}"
        everything = ALL.search(one) and not ALL.search(has.bare[c.piece[0] : c.piece[1]])
        if everything and c.share >= ALIKE and NARROW.search(has.bare) and not NARROW.search(said.bare):
            return f"all for some: {said.text[c.mine[0] : c.mine[1]].strip()}"
    return ""


def _bound(one: str, two: str) -> str:
    """A duty where the span gives a choice, or a choice where it gives a duty."""
    duty, bound = bool(DUTY.search(one)), bool(DUTY.search(two))
    free, choice = (bool(LEAVE.search(c) or ADVICE.search(c) or CHOICE.search(c)) for c in (one, two))
    if duty and not free and choice and not bound:
        return "a duty that is none"
    return "a duty made a choice" if free and not duty and bound and not choice else ""


def _wide(text: Reading, place: Place) -> str:
    """A clause with the word that joins it to the one before: unless, if, and."""
    before = max((end for _, end in text.clauses if end <= place[0]), default=0)
    return text.bare[before : place[1]]


def _flips(text: str) -> int:
    return negations(text) + len(FLIP.findall(text))


def _worded(one: str, sentence: str, two: str, span: str) -> str:
    for pair in OPPOSITES:
        for a, b in (pair, pair[::-1]):
            if (m := a.search(one)) and not b.search(sentence) and b.search(two) and not a.search(span):
                return m[0]
    return ""


def _odd(said: Reading, has: Reading) -> bool:
    """Do the sentence and what it matches of the span deny unequally often, unless and opposites counted as denials?"""
    together = [c for c in aligned(said, has) if c.share >= 0.3]
    mine = 0
    for c in together:
        one, two = _wide(said, c.mine), _wide(has, c.theirs)
        mine += _flips(one) + bool(opposed(said.within(c.mine), has.within(c.theirs)) or _worded(one, said.bare, two, has.bare))
    return mine % 2 != sum(_flips(_wide(has, p)) for p in has.clauses if _matched(p, together, said, has)) % 2


def _matched(place: Place, together: list[Aligned], said: Reading, has: Reading) -> bool:
    """Is the clause one that the sentence matches, or a denial beside one of which it has most words?"""
    if any(c.theirs == place for c in together):
        return True
    terms = has.within(place)
    near = terms and any(within(place, c.piece) for c in together) and _flips(_wide(has, place))
    return bool(near) and sum(said.has(t) for t in terms) >= 0.6 * len(terms)


def _reordered(said: Reading, has: Reading) -> float:
    """How much better what comes first in the sentence fits what comes second in the span."""
    worst = 0.0
    theirs = _orders(has)
    for a, b in _orders(said):
        for c, d in theirs:
            turned, straight = likeness(a, d) + likeness(b, c), likeness(a, c) + likeness(b, d)
            worst = max(worst, (turned - straight) / 2)
    return worst


def _orders(text: Reading) -> list[tuple[list[Term], list[Term]]]:
    """The words of what comes first and of what comes second, by the first pattern that each sentence meets."""
    found = []
    for start, end in text.pieces:
        for pattern, first in ORDER:
            if m := pattern.search(text.text, start, end):
                groups = [text.within(m.span(1)), text.within(m.span(2))]
                if all(groups):
                    found.append((groups[first - 1], groups[2 - first]))
                break
    return found
