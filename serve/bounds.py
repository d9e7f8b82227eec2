"""Which bound a figure is: at most, at least, before or after it.  Part of the citation check."""

import re

MOST, LEAST, BEFORE, AFTER = "at most", "at least", "before", "after"
# no crew may stay, do not run it, nobody: what follows is forbidden; but not what stands in a condition behind it
NONE = (
    r"(?:\b(?:no|none|nobody|never|neither|(?:do|must|may|shall|should|can|will) ?not|(?:do|must|should|ca|wo)n't)\b)"
    r"(?:(?!\b(?:when|if|while|where|unless|until|once|because|that|who|which)\b)[^.,;:\d]){0,60}\b"
)
LONGER = "longer|later|higher|greater|over|taller|wider|deeper|heavier|larger|bigger|older|faster|hotter|warmer|thicker|louder"
SHORTER = "fewer|lower|shorter|earlier|sooner|narrower|lighter|smaller|younger|slower|colder|cooler|thinner"
# what stands just before a figure, or just behind it; `at least every 60 days` is at most 60 days apart
AHEAD = [
    (MOST, rf"{NONE}(?:(?:more|{LONGER}) than|upwards of|above|over|exceed(?:ing)?)"),
    (LEAST, rf"{NONE}(?:(?:less|{SHORTER}) than|under(?: the age of)?|below)"),
    (MOST, r"(?:at least|至少|不少于)\s*(?:once|一次)?\s*(?:in\s*)?(?:every|each|per|每)(?:隔|满)?|no [^.,;]{0,40}exceed|at most"
           r"|(?:not|never) be (?:\w+ )?(?:more|longer|later|higher|greater|over) than"
           r"|no(?:t)? (?:more|longer|later|higher|greater|over) than"
           r"|up to|as (?:many|much|long) as|within|maximum(?: of)?|(?:not|never) exceed(?:ing)?|capped at|limited to|ceiling of|until"
           r"|(?<!no )(?<!not )(?:fewer|less|lower|colder|cooler|younger|shorter|smaller|lighter|earlier|sooner) than|under|below"
           r"|不[得能可应宜准许]?(?:超过|多于|大于|高于|长于|晚于|迟于)|不[得能可应宜准许]?[长高低重大多晚]过|没有超过|未超过|未满|不满|最多|至多|最长|最高"
           r"|(?<!不)(?<!不[得能可应宜准许])(?:少于|低于|小于)|不足|不到|未达到?"),
    (LEAST, r"at least|not be (?:\w+ )?(?:less|fewer|lower|shorter|earlier|sooner) than"
            r"|no(?:t)? (?:less|fewer|lower|shorter|earlier|sooner) than|minimum(?: of)?|over(?=\s*$)|above|(?<!not )exceed(?:s|ed|ing)?"
            r"|(?<!no )(?<!not )(?:more|older|longer|higher|greater|hotter|heavier|larger|bigger|later) than|(?<!no )(?<!not )upwards of"
            r"|不[得能可应宜准许]?(?:少于|低于|小于|短于|早于)|至少|最少|最低|最短|(?<![不未])(?<!不[得能可应宜准许])(?<!没有)(?:超过|高于|大于|多于)"
            r"|(?<![不未])满|(?<!未)达到?"),
    (BEFORE, r"\bbefore|prior to"), (AFTER, r"\bafter|\bsince|on or after"),
]  # fmt: skip
BEHIND = [
    (MOST, r"or (?:less|fewer|under|below|lower|colder|cooler|earlier|shorter|lighter)|at (?:the )?(?:most|latest|longest)"
           r"|以下|以内|之内|内|为限"),
    (LEAST, r"(?:ahead|before|in advance) or earlier|or (?:more|over|above|longer|higher|greater|older|warmer|later|hotter)"
            r"|at least|and over|以上"),
    (BEFORE, r"以?之?前"), (AFTER, r"以?之?后"),
]  # fmt: skip
AHEAD_OF = [(name, re.compile(rf"(?:{words})(?:[\s\w']{{0,24}}|[^\d，。；,;]{{0,3}})$", re.I)) for name, words in AHEAD]
BEHIND_IT = [(name, re.compile(rf"\s*(?:的|时)?(?:{words})", re.I)) for name, words in BEHIND]
LATE = re.compile(r"\b(?:later|earlier|sooner) than", re.I)
AHEAD_OF_TIME = re.compile(r"\s*(?:before|ahead|prior|in advance|以?前)", re.I)
FAR, NEAR = 90, 20  # characters looked at before a figure and behind it


def bound(text: str, start: int, end: int) -> tuple[str, tuple[int, int]]:
    """Which bound the figure at `start:end` is, by the words beside it, and where it stands with those words."""
    first = max(0, start - FAR)
    behind = next(((name, m) for name, p in BEHIND_IT if (m := p.match(text[end : end + NEAR]))), None)
    ahead = next(((name, m) for name, p in AHEAD_OF if (m := p.search(text[first:start]))), None)
    name = (behind or ahead or ("", None))[0]
    if ahead and LATE.search(ahead[1][0]) and AHEAD_OF_TIME.match(text, end):
        name = {MOST: LEAST, LEAST: MOST}.get(name, name)  # not later than a week before is at least a week before
    return name, (first + ahead[1].start() if ahead else start, end + behind[1].end() if behind else end)
