"""Elements of a finished document: its kind, who writes to whom, about what, when, and what it says, each in its own words."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from ingest.language import language
from ingest.sentences import sentences

HEAD = 12  # lines in which a title stands
SALUTED = 30  # lines in which a letter comes to its salutation; an address stands before it
TITLE = 100  # characters
BROKEN = 3  # lines of a title
BRIEF = 80  # characters of a heading
RUN_IN = 40  # characters of one that begins its paragraph: （一）落实责任。各单位……
ROW = " | "
STOPS = "。！？；：.!?;: "

KINDS = "通知|请示|报告|批复|复函|函|意见|决定|决议|通报|公告|通告|议案|纪要"
TITLED = re.compile(rf"(?P<issuer>[^，。；：|〔\[]{{0,60}}?)关于(?P<matter>.+)的(?P<kind>(?:紧急|补充)?(?:{KINDS}))(?:（[^（）]*）)?")
CALLED = re.compile(r"(?P<matter>[^，。；：|〔\[]{2,60}?)(?P<kind>会议纪要|会议通知|任免通知|纪要|公告|通告)")
LETTERHEAD = re.compile(r"(.{2,40}?)文件")
NUMBER = re.compile(r"[^\s，。：|]{1,20}[〔\[【(（]\d{4}[〕\]】)）]第?\d{1,4}号")
ADDRESSED = re.compile(r"(?!.*如下)([^。；|]{2,200})[：:]")
DATED = re.compile(
    r"[（(]?(?:(?P<by>[^，。；：|\d]{3,40}?)\s+)?"
    r"(?P<date>(?:\d{4}|[〇○零一二三四五六七八九]{4})年[\d一二三四五六七八九十]{1,3}月[\d一二三四五六七八九十]{1,3}日)[）)]?"
)
ATTACHED = re.compile(r"附件[：:]\s*(.+)")
FURTHER = re.compile(r"\d{1,2}[.．、]\s*\S.*")  # the next attachment
ANNEX = re.compile(r"附件\s*[\d一二三四五六七八九十]*(?:\s.*)?")
COPIED = re.compile(r"抄送[：:]\s*(.+?)。?")
PRINTED = re.compile(r".{0,60}日\s*印发")
CLOSING = re.compile(r"(?:特此|此复|专此|以上|妥否|当否|可否|请予|请审|盼复|现予|联系人).{0,60}")
NUMBERED = re.compile(r"(?:[一二三四五六七八九十]{1,3}、|[（(](?:[一二三四五六七八九十]{1,3}|\d{1,2})[）)]|\d{1,2}[.．、)）](?!\d))\s*")

TITLED_EN = re.compile(
    r"(?P<memo>(?:internal |office )?memo(?:randum)?\b.*)|(?P<notice>(?:[a-z-]+ ){0,3}notice\b.*)|(?P<minutes>.*\bminutes\b.*)", re.I
)
FIELD = re.compile(r"(?P<name>[A-Za-z][A-Za-z ]{0,14}?)\s*[:|]\s*(?P<value>\S.*)")
FIELDS = {
    name: element
    for element, names in {
        "issuer": "from|issued by", "addressee": "to", "matter": "subject|re|ref|regarding", "date": "date|dated",
        "copies": "cc|copy|copies|copies to", "place": "place|venue|location", "time": "time", "present": "present|attendees|in attendance",
        "apologies": "apologies|absent", "attachments": "enc|encs|enclosure|enclosures|enclosed|attachment|attachments",
    }.items()
    for name in names.split("|")
}  # fmt: skip
SALUTATION = re.compile(r"Dear (.{1,80}?)[,:]?")
SIGNED = re.compile(
    r"(?:yours (?:sincerely|faithfully|truly)|(?:sincerely|truly) yours|sincerely|respectfully|(?:kind|best|warm) regards)\W*", re.I
)
MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
DATED_EN = re.compile(rf"\d{{1,2}}(?:st|nd|rd|th)? (?:{MONTH}),? \d{{4}}|(?:{MONTH}) \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{4}}-\d\d-\d\d")
NUMBERED_EN = re.compile(r"(?:\d{1,2}[.)]|\d{1,2}(?:\.\d{1,2})+[.)]?|\([a-z]\)|[•*-])\s+")


@dataclass(slots=True)
class Elements:
    """What a request for the document would tell. Every text stands in the document, line breaks aside."""

    lang: str
    kind: str
    slots: dict[str, list[str]] = field(default_factory=dict)  # issuer, number, addressee, matter, date …; those that it has
    points: list[tuple[str, str]] = field(default_factory=list)  # of the body in order: a heading, what stands under it; one may be empty


def elements_of(text: str) -> Elements:
    """The elements of a finished document. Raises `ValueError` with the reason where it is none that is known."""
    found = _chinese(text) if language(text) == "zh" else _english(text)
    if not found.points:
        raise ValueError("nothing is said under its title")
    if not found.slots.keys() & {"addressee", "date", "number", "issuer"}:
        raise ValueError("it names neither who writes nor to whom nor when")
    return found


def _chinese(text: str) -> Elements:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    title, first, after = _title(lines)
    slots = {"issuer": title["issuer"] if "issuer" in title.re.groupindex else "", "matter": title["matter"]}
    found = Elements("zh", title["kind"])
    above = lines[:first]
    start = next((n + 1 for n in range(after, min(after + 6, len(lines))) if ADDRESSED.fullmatch(lines[n])), after)
    if start > after:
        slots["addressee"] = lines[start - 1].rstrip("：:")
    head = [*above, *lines[after : max(start - 1, after)]]
    slots["number"] = next((m[0] for line in head if (m := NUMBER.search(line))), "")
    dates = [(n, m) for n in range(after, len(lines)) if (m := DATED.fullmatch(lines[n]))]
    behind = (n for n in range(start, len(lines)) if any(shape.fullmatch(lines[n]) for shape in (ANNEX, COPIED, PRINTED)))
    end = next(behind, len(lines))
    if dates:
        at, date = dates[0]
        slots["date"] = date["date"]
        if at > start:  # else it stands under the title
            end = min(end, at)
            signed = date["by"] or (lines[at - 1] if at - 1 > start and not re.search("[，。；：:|]", lines[at - 1]) else "")
            end -= bool(signed and not date["by"])
            slots["issuer"] = signed or slots["issuer"]
    slots["issuer"] = slots["issuer"] or next((m[1] for line in head if (m := LETTERHEAD.fullmatch(line))), "")
    body = lines[start:end]
    attachments: list[str] = []
    if named := next((m for line in body if (m := ATTACHED.fullmatch(line))), None):
        at = body.index(named[0])
        attachments = [named[1], *takewhile(FURTHER.fullmatch, body[at + 1 :])]
        body = body[:at]
    slots["copies"] = next((m[1] for line in reversed(lines) if (m := COPIED.fullmatch(line))), "")
    found.slots = {name: [value] for name, value in slots.items() if value}
    if attachments:
        found.slots["attachments"] = attachments
    found.points = _points([line for line in body if not CLOSING.fullmatch(line)], NUMBERED)
    return found


def _title(lines: Sequence[str]) -> tuple[re.Match[str], int, int]:
    """The title, where it begins and what line follows it; it may be broken over several."""
    for shape in (TITLED, CALLED):
        for size in range(1, BROKEN + 1):
            for first in range(min(HEAD, len(lines))):
                joined = "".join(lines[first : first + size])
                if len(joined) <= TITLE and (found := shape.fullmatch(joined)):
                    return found, first, first + size
    raise ValueError("no title of a known kind stands in its first lines (关于……的通知, 请示, 报告, 批复, 函, 意见, 决定; ……纪要)")


def _english(text: str) -> Elements:
    blocks = [block.strip() for block in re.split(r"\n[ \t]*\n", text) if block.strip()]
    lines = [line.strip() for block in blocks for line in block.split("\n") if line.strip()]
    slots: dict[str, list[str]] = {}
    for line in lines:
        if (m := FIELD.fullmatch(line)) and (element := FIELDS.get(m["name"].lower())):
            slots.setdefault(element, [m["value"]])
    titled = next((m for line in lines[:HEAD] if len(line) <= TITLE and line[-1] not in ".:;," and (m := TITLED_EN.fullmatch(line))), None)
    saluted = next((m for line in lines[:SALUTED] if (m := SALUTATION.fullmatch(line))), None)
    signed = next((n for n, line in enumerate(lines) if SIGNED.fullmatch(line)), None)
    if titled and titled.lastgroup:
        kind = titled.lastgroup
        slots.setdefault("matter", [titled[0]])
    elif saluted and signed is not None:
        kind = "letter"
    else:
        raise ValueError("it is no letter, and no title of a known kind stands in its first lines (Memorandum, Notice, Minutes)")
    if saluted and signed is not None:
        slots.setdefault("addressee", [saluted[1]])
        slots.setdefault("issuer", [line for line in lines[signed + 1 : signed + 4] if not _is_field(line)])
    if alone := next((n for n, line in enumerate(lines) if DATED_EN.fullmatch(line)), 0):
        slots.setdefault("date", [lines[alone]])
        if alone >= len(lines) - 2 and not _is_said(lines[alone - 1]):
            slots.setdefault("issuer", [lines[alone - 1]])
    slots.setdefault("date", [m[0] for line in lines[:HEAD] if not _is_said(line) and (m := DATED_EN.search(line))][:1])
    opening = (saluted or titled or [""])[0]
    points = _points(_body(blocks, opening), NUMBERED_EN)
    return Elements("en", "memorandum" if kind == "memo" else kind, {name: value for name, value in slots.items() if value}, points)


def _body(blocks: Sequence[str], opening: str) -> list[str]:
    """The paragraphs between the salutation or title and the signature, broken lines made whole, numbered headings apart."""
    start = next((n for n, block in enumerate(blocks) if opening in block.split("\n")), 0)
    body: list[str] = []
    for n, block in enumerate(blocks[start:]):
        lines = [line.strip() for line in block.split("\n")]
        if n == 0:
            lines = lines[lines.index(opening) + 1 :] if opening in lines else lines
        if any(SIGNED.fullmatch(line) for line in lines):
            break
        lines = [line for line in lines if not _is_field(line)]
        if len(lines) > 1 and NUMBERED_EN.match(lines[0]) and lines[0][-1] not in ".!?,;":
            body.append(lines.pop(0))
        body.append(" ".join(lines))
    return [paragraph for paragraph in body if paragraph]


def _is_said(line: str) -> bool:
    """Is it a sentence, or several, and no heading or signature?"""
    return line[-1] in STOPS or len(line) > BRIEF


def _is_field(line: str) -> bool:
    return bool((m := FIELD.fullmatch(line)) and m["name"].lower() in FIELDS)


def _points(body: Iterable[str], numbered: re.Pattern[str]) -> list[tuple[str, str]]:
    """Each paragraph's first sentence, with the heading before it; rows of tables say nothing by themselves."""
    points: list[tuple[str, str]] = []
    heading, is_numbered = "", False
    for paragraph in body:
        number = numbered.match(paragraph)
        text = paragraph[number.end() :] if number else paragraph
        if ROW in text or not text:
            continue
        if not _is_said(text):
            if heading:
                points.append((heading, ""))
            heading, is_numbered = text, bool(number)
            continue
        spans = sentences(text) or [(0, len(text))]
        end = spans[1][1] if number and len(spans) > 1 and spans[0][1] <= RUN_IN else spans[0][1]
        points.append((heading, text[:end].rstrip(STOPS)))
        heading = ""
    return [*points, (heading, "")] if heading and is_numbered else points  # else it is a signature
