"""The fields of a JSON answer: where each value stands, and what its name says of it: `{"max_kpa": 400}` is 400 kPa.

Part of the citation check for answers in a form.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ingest.tokens import tokens
from serve.quantities import UNITS, quantities

NAME = 3  # tokens; a longer name that the model made up is a statement too, and so is one with a figure or a code
BESIDE = re.compile("units?|单位", re.I)  # the name of a member that has the unit of those beside it
# One letter may be anything, `min` the least, `year` and 月 a date's; days, kPa and 天数 are units.
_DATES = {u for u, (kind, _) in UNITS.items() if kind in ("time", "month", "shift", "working day") and f"{u}s" in UNITS} | set("分号季晚班")
_LETTERS = sorted((u for u in UNITS if u.isascii() and u[:1].isalpha() and len(u) > 1 and u not in _DATES), key=len, reverse=True)
_HAN = sorted((u for u in UNITS if u >= "\u4e00" and u not in _DATES), key=len, reverse=True)
_BEHIND = r"(?=$|[)）]| (?:max|min|maximum|minimum|limit|value|of|per|notice)\b)"
UNIT = re.compile(
    rf"(?<![A-Za-z])(?i:{'|'.join(_LETTERS)})(?![A-Za-z0-9/]){_BEHIND}|[%‰°℃][CF]?$"
    rf"|(?:(?<=[ (（])万?(?:{'|'.join(_HAN)})|(?:{'|'.join(u for u in _HAN if len(u) > 1)})|(?:{'|'.join(_HAN)})(?=数$))(?=数?[)）]?$)"
)


class Leaf(NamedTuple):
    """A value of a JSON text: its JSON pointer (RFC 6901), the name it goes by, and the unit of its figures; empty where none is told."""

    path: str
    name: str
    value: str | bool | None
    unit: str = ""


def leaves(data: Any, names: set[str], path: str = "", name: str = "", unit: str = "") -> Iterator[Leaf]:
    """Every leaf of a JSON value; a name that says something and is none of `names` is one too."""
    if isinstance(data, dict):
        beside = next((v.strip() for k, v in data.items() if BESIDE.fullmatch(k) and isinstance(v, str)), unit)
        for key, inner in data.items():
            at = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in names and (len(tokens(key)) > NAME or any(c.isdigit() for c in key)):
                yield Leaf(at, "", key)
            yield from leaves(inner, names, at, key, named_unit(key) or beside)
    elif isinstance(data, list):
        for index, inner in enumerate(data):
            yield from leaves(inner, names, f"{path}/{index}", name, unit)
    else:
        yield Leaf(path, name, data, unit)


def named_unit(name: str) -> str:
    """The unit that a field's name gives its figures: kpa of max_kpa, 天 of 天数; empty where it names none."""
    found = UNIT.search(re.sub(r"[\s_-]+|(?<=[a-z]{3})(?=[A-Z])", " ", name.strip()))
    return found[0] if found else ""


def measured(text: str, unit: str) -> str:
    """`text` with its unit, where it ends with a figure that has none."""
    plain = text.strip().rstrip(".。")
    whole = f"{plain}{unit}" if unit >= "\u4e00" else f"{plain} {unit}"
    told = any(q.dimension and q.end == len(plain) for q in quantities(plain))
    given = any(q.dimension and q.start < len(plain) and q.end == len(whole) for q in quantities(whole))
    return whole if unit and given and not told else text
