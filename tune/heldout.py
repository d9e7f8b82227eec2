"""Held-out documents: what the gate asks about never enters training, under no name."""

from collections.abc import Iterable
from difflib import get_close_matches

from corpora import Profile, UserError
from ingest.manifest import Manifest
from ingest.schema import Chunk
from tune.schema import Adapter, Example

NEAR = 0.85  # likeness of two names, one of which is taken for a misspelling of the other
REPEATS = 0.3  # of a document's longer chunks: more in common with a held-out one and it is a copy of it
LONG = 60  # characters of a chunk whose repetition means something; every manual has the same short lines


def held_out_versions(profile: Profile, manifest: Manifest) -> set[str]:
    """Versions of the held-out documents. Raises `UserError` where one is misspelt, or another document repeats one."""
    documents = manifest.documents(profile.name)
    names = set(profile.tune.held_out)
    known = {d["document"] for d in documents}
    for name in sorted(names - known):
        if near := get_close_matches(name, known - names, 1, NEAR):
            raise UserError(f"{profile.name} holds out {name}, which is not indexed, but {near[0]} is; it would leak under that name.",
                            "Correct tune.held_out in its profile.yaml.")  # fmt: skip
    held = {d["version"] for d in documents if d["document"] in names}  # the same bytes elsewhere are the same version
    secret = {_text(c) for version in held for c in manifest.chunks(version) if len(_text(c)) >= LONG}
    for d in documents:
        long = [text for c in manifest.chunks(d["version"]) if len(text := _text(c)) >= LONG]
        if d["version"] not in held and long and sum(text in secret for text in long) > REPEATS * len(long):
            raise UserError(f"{d['document']} repeats a held-out document of {profile.name}; training on it would leak.",
                            "Hold it out as well (tune.held_out in profile.yaml), or remove it: ingest remove")  # fmt: skip
    return held


def refuse_taught(adapter: Adapter, held: set[str]) -> None:
    """Raises `UserError` where an adapter has learnt from what is held out now: its figures would say nothing."""
    if known := held & set(adapter.trained_on):
        raise UserError(f"Version {adapter.version} of {adapter.corpus} has learnt from {len(known)} of the documents held out now.",
                        f"Train one that has not: tune sft {adapter.corpus}")  # fmt: skip


def refuse_leaks(examples: Iterable[Example], held: set[str]) -> None:
    """The last look before anything is written: no example may show or ask for a held-out chunk."""
    for row in examples:
        for chunk_id in (row.chunk_id, *row.shown):
            if chunk_id.rsplit(":", 1)[0] in held:
                raise UserError(f"Example {row.id} holds {chunk_id}, a chunk of a held-out document. Nothing was written.",
                                "This is a mistake of Lectern's; please report it.")  # fmt: skip


def _text(chunk: Chunk) -> str:
    return " ".join(chunk.text.split())
