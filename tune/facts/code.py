"""Facts from source code: what a function or class is for, by its own documentation."""

import re

from ingest.schema import Chunk
from tune.chance import Chance
from tune.facts.wording import Fact, ask, low, stopped

NAMED = re.compile(r"(def|class|function|func|type|interface)\s+(\w+)")
DOCUMENTED = re.compile(r"(?:\"\"\"|'''|/\*\*?|//[/!]?)\s*\**\s*(?P<line>[A-Z][^\n\"*]{18,200}?[.!])(?=\s|\"|\*|$)")


def function_facts(chunk: Chunk, rng: Chance) -> list[Fact]:
    """What the function or class of this chunk does, and which one does it."""
    trail = chunk.context.split(" › ")
    named = NAMED.search(trail[-1]) if len(trail) > 1 else None
    line = DOCUMENTED.search(chunk.text)
    if not named or not line or named[2].startswith("_"):
        return []
    sort = "class" if named[1] in ("class", "type", "interface") else "function"
    slots = {"key": named[2], "name": trail[0], "sort": sort, "main": low(line["line"].rstrip(".!"))}
    said = stopped(f"{named[2]}: {line['line']}", "en")
    place = (chunk, line.start("line"), line.end("line"))
    return [Fact(form, ask(rng, "en", form, **slots), said, *place) for form in ("does", "which")]
