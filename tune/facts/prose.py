"""Facts from running text: figures, conditions, reasons, definitions, warnings, and what a numbered clause says."""

import re
from collections.abc import Callable

from ingest.schema import Chunk
from ingest.sentences import sentences
from tune.chance import Chance
from tune.facts.figure import gap_of
from tune.facts.subject import Subject
from tune.facts.wording import Fact, ask, low, stopped

LENGTHS = {"en": (30, 230), "zh": (12, 110)}  # characters of a sentence that is worth asking for
LEAD = re.compile(r"(?:(?:Section|Clause|Article)\s+)?(?:\(?\d+(?:\.\d+)*[.)]?|\([a-z]\)|[•*-])\s+")
CLAUSE = re.compile(r"(?:(?:Section|Clause|Article)\s+)?(\d+(?:\.\d+)+)\s+|(第[零〇一二两三四五六七八九十百千\d]+条)\s*")
CLAUSE_HEADING = re.compile(r"(?:Article|Section|Clause)\s+(\d+(?:\.\d+)*)|(第[零〇一二两三四五六七八九十百千\d]+条)")
HEADING_NUMBER = re.compile(r"^[\d.一二三四五六七八九十、第章节条（）() ]+")
# A sentence that leans on the one before does not answer by itself.
LEANING = re.compile(
    r"(?:It|Its|They|Their|This|That|These|Those|He|She|Such|Otherwise|However|Then|So|But|And|Or|Both|Here|There|Also|Instead"
    r"|Even|Neither|Either)\b|其|该|此|这|那|它|否则|但|并|同时|另|上述|前款"
)
CASE = re.compile(r"(If|When|Where|Once|Before|After|Unless|Until) (.{6,70}?), (.{15,})")
ZH_CASE = re.compile(r"([^，。；：]{4,60}的)，(.{6,})")
BECAUSE = re.compile(r"(.{20,130}?), because (.{10,})", re.S)
MEANS = re.compile(r"[\"“”](?P<term>[^\"“”]{2,50})[\"“”] (?:means|has the meaning|is) ")
WARNING = re.compile(r"(?:WARNING|CAUTION|DANGER|NOTE|警告|注意|危险)\s*[:：!！]\s*")


def clause_facts(chunk: Chunk, subject: Subject, rng: Chance) -> list[Fact]:
    """What a numbered clause says: its first sentence."""
    heading = chunk.context.rsplit(" › ", 1)[-1]
    lead = chunk.text.lstrip()
    under = lead.startswith(heading)
    match = CLAUSE.match(lead.removeprefix(heading).lstrip()) or (CLAUSE_HEADING.search(heading) if under else None)
    if not match:
        return []
    for start, end in _bodies(chunk.text):
        body = chunk.text[start:end]
        if _stands_alone(body, subject.lang) and not WARNING.match(body):
            sort = "section" if subject.place.startswith("on ") else "clause"  # a machine's manual has sections
            question = ask(rng, subject.lang, "clause", number=match[1] or match[2], name=subject.name, sort=sort)
            return [Fact("clause", question, stopped(body, subject.lang), chunk, start, end)]
    return []


def sentence_facts(chunk: Chunk, subject: Subject, rng: Chance) -> list[Fact]:
    """At most one fact a sentence, so that no sentence outweighs the others."""
    heading = low(HEADING_NUMBER.sub("", chunk.context.rsplit(" › ", 1)[-1])) or subject.name
    found = []
    for start, end in _bodies(chunk.text):
        body = chunk.text[start:end]
        if not _stands_alone(body, subject.lang):
            continue
        for make in MAKERS:
            if slots := make(body, subject.lang):
                form = slots.pop("form")
                if form == "figure" and subject.name.removeprefix("the ") in body:
                    form = "figure-here"
                question = ask(rng, subject.lang, form, name=subject.name, place=subject.place, heading=heading, **slots)
                found.append(Fact(form, question, stopped(WARNING.sub("", body), subject.lang), chunk, start, end))
                break
    return found


def _bodies(text: str) -> list[tuple[int, int]]:
    """Sentences without the number or bullet that leads them."""
    spans = []
    for start, end in sentences(text):
        lead = LEAD.match(text, start, end) or CLAUSE.match(text, start, end)
        spans.append((lead.end() if lead else start, end))
    return spans


def _stands_alone(body: str, lang: str) -> bool:
    shortest, longest = LENGTHS[lang]
    whole = body.endswith((".", "!", "。", "！", "；")) and re.match(r"[A-Z0-9\"“‘'《㐀-鿿]", body)
    return bool(whole) and shortest <= len(body) <= longest and not LEANING.match(body)


def _warning(body: str, lang: str) -> dict[str, str] | None:
    return {"form": "warning"} if WARNING.match(body) else None


def _definition(body: str, lang: str) -> dict[str, str] | None:
    match = MEANS.match(body) if lang == "en" else None
    return {"form": "definition", "term": match["term"]} if match else None


def _reason(body: str, lang: str) -> dict[str, str] | None:
    match = BECAUSE.match(body) if lang == "en" else None
    return {"form": "reason", "main": low(match[1])} if match else None


def _condition(body: str, lang: str) -> dict[str, str] | None:
    if lang == "zh":
        match = ZH_CASE.match(body)
        return {"form": "if", "case": match[1]} if match else None
    match = CASE.match(body)
    if not match:
        return None
    form = "if" if match[1] in ("If", "When", "Where", "Once") else "before"
    return {"form": form, "word": match[1].lower(), "case": match[2]}


def _figure(body: str, lang: str) -> dict[str, str] | None:
    gap = gap_of(body, lang)
    return {"form": "figure", "gap": gap} if gap else None


MAKERS: tuple[Callable[[str, str], dict[str, str] | None], ...] = (_warning, _definition, _reason, _condition, _figure)
