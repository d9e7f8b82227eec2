"""Requests: how a clerk would ask for a finished document, by its elements, in one of several wordings (requests.yaml)."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tune.chance import Chance
from tune.elements import Elements

REQUESTS = Path(__file__).with_name("requests.yaml")
LISTED = 0.5  # share of requests with a line for each element
COLON, COMMA, SEMICOLON = {"en": ": ", "zh": "："}, {"en": ", ", "zh": "，"}, {"en": "; ", "zh": "；"}
STOP = {"en": ".", "zh": "。"}


@lru_cache(1)
def requests() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(REQUESTS.read_text(encoding="utf-8"))
    return loaded


def request(elements: Elements, rng: Chance) -> str:
    """What was asked for, with every element that the document has, in the document's words."""
    lang, words = elements.lang, requests()[elements.lang]
    told = {name: COMMA[lang].join(values) for name, values in elements.slots.items()}
    points = [f"{heading}{COLON[lang]}{said}" if heading and said else heading or said for heading, said in elements.points]
    told["points"] = SEMICOLON[lang].join(f"{n}. {point}" for n, point in enumerate(points, 1)) if len(points) > 1 else points[0]
    opening = rng.choice(words["open"]).format(kind=words["kinds"].get(elements.kind, elements.kind))
    listed = [f"{rng.choice(names)}{COLON[lang]}{told[name]}" for name, names in words["elements"].items() if name in told]
    if rng.random() < LISTED:
        return "\n".join([opening, *listed])
    return f"{opening}{'' if lang == 'zh' else ' '}{SEMICOLON[lang].join(listed)}{STOP[lang]}"
