"""English follow-ups: "and its torque?", "what about the CP-80?", "Can it be extended?", "How long does the exchange take?"."""

import re

from ingest.tokens import STOP, stem
from serve.followup_slots import BARE, CLAUSE, Asked, Known, codes, swapped

AND = re.compile(r"^(?:(?:and|or|but|so|then|also|plus|ok(?:ay)?|now)\b[, ]*)+", re.I)
ABOUT = re.compile(r"^(?:what|how) about\b\s*", re.I)
MORE = re.compile(r"(?:please )?(?:tell me more|more(?: details?)?|go on|explain(?: that| it)?)(?: please)?", re.I)
POLITE = re.compile(r"(?:thanks?(?: you)?(?: very much)?|ok(?:ay)?|great|good|yes|no|right|hello|hi|bye|sorry|please)?", re.I)
VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|do|does|did|can|could|may|might|must|shall|should|will|would|has|have|had|"
    r"what|which|who|whom|whose|when|where|why|how|list|compare|show|give|tell|explain|summari[sz]e|count)\b",
    re.I,
)
PREPOSITION = re.compile(r"^(for|of|on|in|at|under|with|by|to|from|between|after|before|during)\s+", re.I)
TO = "allowed|permitted|possible|necessary|required|forbidden|safe|true|mandatory|compulsory|legal|enough|better|ok|okay|take|takes"
# It is raining, it's late: nothing that was talked about
WEATHER = "raining|snowing|hailing|freezing|sunny|windy|foggy|getting|late|early|night|morning|noon|winter|summer|spring|autumn|urgent"
PRONOUN = re.compile(
    rf"\b(?:it(?! (?:{TO})\b)(?!(?:'s|’s| is| was)(?: already| still)? (?:{WEATHER})\b)"
    rf"|they|them|these|those|this(?! \w+)|its|their|that(?= (?:mean|apply|happen|work|take|cost|be)|\W*$)|"
    r"the same|(?<!is )(?<!are )there(?! (?:is|are|was|were|be|a|an|any)\b))\b",
    re.I,
)
# something in the question itself that a pronoun after it may point at
OWN = re.compile(r"(?<=\s)(?:a|an|any|each|every|some|if|when|while)\s+\w+|\b(?<!what )(?<!who )[a-z]{3,}(?<!s)s\b", re.I)
GENERIC = re.compile(r"\b(?:the|this|that) (?:machine|unit|device|equipment)\b", re.I)
ARTICLE = re.compile(r"^(?:a|an|the|its|their|that|this)\s+", re.I)
# A noun phrase ends at a preposition, at a verb or where the sentence does.
STOPS = r"(?:for|of|on|in|at|under|with|by|to|from|between|after|before|during|is|are|was|were|be|and|or|than|that|which|when|if|as)"
NOUNS = rf"(?:(?!{STOPS}\b)[\w/'.%-]+(?:\s+|(?=\W|$))){{1,4}}"
TRAIL = re.compile(r"\s+(?:under|in|of|on|for|with|from|according to)\s+.+$", re.I)
AUXILIARY = "(?:is|are|do|does|did|can|must|may|shall|should|will|has|have)"
TOPICS = (
    re.compile(r"^(?:what|how) about (?P<topic>.+)$", re.I),
    re.compile(r"^(?:what|which|who) (?:is|are|was|were) (?P<topic>.+)$", re.I),
    re.compile(r"^how \w+ (?:is|are|was|were) (?P<topic>.+)$", re.I),
    re.compile(rf"^(?:what|which|how many|how much) (?P<noun>[\w-]+(?: [\w-]+)?) {AUXILIARY} (?P<rest>.+)$", re.I),
    re.compile(rf"^(?:(?:to|at|for|by|in) )?(?:what|which|how|when|where|why|who)(?: \w+)?? {AUXILIARY} (?P<topic>.+)$", re.I),
)
LAST_VERB = re.compile(r"\s+(?:mean|say|do|apply|take|cost|work|last|happen|require|state|cover|about|weigh)$", re.I)
SHORT, LONGEST = 4, 14  # content words of a question that leans by being short; words of a topic that is carried over


def rewrite(question: str, before: Asked, version: str, known: Known) -> Asked | None:
    """`question` made to stand alone after `before`; None where it does."""
    rest = AND.sub("", question)
    part = ABOUT.sub("", rest).rstrip("?!. ")
    if MORE.fullmatch(part):
        return before
    if POLITE.fullmatch(part):
        return None
    if part and (ABOUT.match(rest) or (not VERB.search(part) and (rest != question or len(part.split()) <= 3))):
        return _changed(part, before, version, known)
    if known.names(rest) or codes(rest):
        return None
    if (found := PRONOUN.search(rest)) and not OWN.search(rest[: found.start()]):
        return Asked(_resolved(rest, before, known))
    content = [word for word in re.findall(r"[A-Za-z]+", rest.lower()) if word not in STOP and not VERB.fullmatch(word)]
    if CLAUSE.search(rest) or len(content) > SHORT or OWN.search(rest):
        return None
    if (generic := GENERIC.search(rest)) and (own := codes(before.text)):
        return Asked(f"{rest[: generic.start()]}the {own[-1]}{rest[generic.end() :]}")
    if known.holds(version, rest) if version else len(content) < 2 and not re.search(r"\bthe \w+ (?:of|on|in|for)\b", rest):
        return Asked(_beside(rest, before, version, known))
    return None


def _changed(part: str, before: Asked, version: str, known: Known) -> Asked:
    """The question before, with `part` in the place of what is of its kind there."""
    old = before.text.rstrip("?!. ")
    preposition = PREPOSITION.match(part)
    noun = part[preposition.end() :] if preposition else part
    bare = ARTICLE.sub("", noun)
    own = codes(noun)
    if len(own) == 1 and bare != own[0] and (phrase := _phrase_with_code(old)):
        return Asked(f"{old.replace(phrase, noun, 1)}?", noun)
    if new := swapped(noun, old):
        return Asked(f"{new}?", own[0] if own else noun)
    if CLAUSE.fullmatch(bare) or BARE.fullmatch(bare):
        where = known.title(version)
        return Asked(f"What does {bare if CLAUSE.search(bare) else f'clause {bare}'}{f' of {where}' if where else ''} say?", bare)
    if known.names(noun):
        named = _document(old, known)
        return Asked(f"{old.replace(named, ARTICLE.sub('', noun), 1)}?" if named else f"{old} ({noun})?", noun)
    for phrase in _candidates(noun, bare, preposition, old, before.slot):
        if phrase and not known.names(phrase) and not codes(phrase):
            article = m[0] if (m := ARTICLE.match(phrase)) and not ARTICLE.match(noun) and m[0].lower() in ("the ", "its ") else ""
            return Asked(f"{old.replace(phrase, article + (noun if noun == bare else _kept(noun, phrase)), 1)}?", noun)
    return Asked(f"{old} {part}?" if preposition else f"{old}: {noun}?", noun)


def _candidates(noun: str, bare: str, preposition: re.Match[str] | None, old: str, slot: str) -> list[str]:
    """Parts of the question before that `noun` may stand for, the likeliest first."""
    found = []
    if re.match(r"(?:its|their)\s", noun, re.I):
        found += [m[1] for m in [re.search(rf"\b(the {NOUNS})(?:of|for) ", old, re.I)] if m]
    if preposition:
        if not (place := re.search(rf"\b{preposition[1]} ((?:(?:a|an|the) )?{NOUNS})", old, re.I)):
            return []
        found.append(place[1])
    found += _same_head(bare, old)
    if slot and slot in old:
        found.append(slot)
    if article := re.match(r"(?:a|an)\s", noun, re.I):
        found += [m[0] for m in [re.search(rf"\b(?:a|an) {NOUNS}", old, re.I)] if m and article]
    found += [m[0] for m in reversed(list(re.finditer(rf"\bthe {NOUNS}", old, re.I)))]
    return [phrase.strip() for phrase in found]


def _same_head(bare: str, old: str) -> list[str]:
    """mineral oil ↔ synthetic oil, low-risk ↔ high risk: as many words of `old`, ending in the same noun."""
    words = bare.split()
    head, size = stem(words[-1].lower()), len(words)
    said = old.split()
    for i, word in enumerate(said):
        if stem(word.lower().strip(",")) == head and size > 1 and i >= size - 1:
            return [" ".join(said[i - size + 1 : i + 1]).strip(",")]
        if "-" in word and size > 1 and head in map(stem, word.lower().split("-")):
            return [word.strip(",")]
    return []


def _kept(noun: str, phrase: str) -> str:
    """`noun` with the article that fits: its mass stands for the delivery."""
    bare = ARTICLE.sub("", noun)
    return f"the {bare}" if re.match(r"(?:its|their|that|this)\s", noun, re.I) else noun if ARTICLE.match(phrase) else bare


def _phrase_with_code(old: str) -> str:
    """the anchor bolts of the HP-200, in the question before."""
    for code in codes(old):
        if m := re.search(rf"\b(?:the|a|an) {NOUNS}(?:of|on|in|for) (?:the )?{re.escape(code)}(?:'s)?", old, re.I):
            return m[0]
        if m := re.search(rf"\b(?:the )?{re.escape(code)}'s {NOUNS}", old, re.I):
            return m[0].strip()
    return ""


def _document(old: str, known: Known) -> str:
    """The words of the question before that name a document: the equipment lease."""
    words = old.split()
    if not known.names(old):
        return ""
    while words[1:] and known.names(" ".join(words[1:])):
        words = words[1:]
    while words[:-1] and known.names(" ".join(words[:-1])):
        words = words[:-1]
    return " ".join(words)


def _topic(old: str) -> str:
    """What the question before was about: the term of the lease. Empty where that cannot be told."""
    old = AND.sub("", old.rstrip("?!. "))
    for pattern in TOPICS:
        if m := pattern.match(old):
            groups = m.groupdict()
            if groups.get("noun"):
                trail = TRAIL.search(m["rest"])
                subject = "" if trail or not codes(m["rest"]) else f" of {codes(m['rest'])[-1]}"
                return f"the {m['noun']}{trail[0] if trail else subject}"
            topic = LAST_VERB.sub("", m["topic"])
            return topic if len(topic.split()) <= LONGEST else ""
    return ""


def _resolved(rest: str, before: Asked, known: Known) -> str:
    """`rest` with what its pronoun stands for in the pronoun's place."""
    old = before.text.rstrip("?!. ")
    topic = _topic(old)
    found = PRONOUN.search(rest)
    if not topic or found is None:
        return f"{old}? {rest}"
    said = found[0].lower()
    after = rest[found.end() :]
    if said in ("its", "their"):
        holder = re.split(r"\b(?:of|for)\s+", topic, maxsplit=1)[-1]
        owned = re.match(rf"\s+({NOUNS})", after)
        if owned:
            new = f"{rest[: found.start()]}the {owned[1].strip()} of {holder}{after[owned.end() :] and ' ' + after[owned.end() :].lstrip()}"
            return _anchored(re.sub(r"\s+([?!.])", r"\1", new), old, known)
    return _anchored(f"{rest[: found.start()]}{topic}{after}", old, known)


def _anchored(text: str, old: str, known: Known) -> str:
    """With the codes of the question before, where none of them is left."""
    lost = codes(old)
    if not lost or set(lost) & set(codes(text)):
        return text
    return f"{text.rstrip('?!. ')} ({', '.join(lost)})?"


def _beside(rest: str, before: Asked, version: str, known: Known) -> str:
    """A short question that names nothing, with what it is about before it."""
    topic = _topic(before.text)
    if not topic or (version and not known.names(topic) and not codes(topic)):
        topic = ", ".join(filter(None, (known.title(version), topic))) if version else topic
    return f"{topic[0].upper()}{topic[1:]}: {rest}" if topic else f"{before.text} {rest}"
