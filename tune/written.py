"""Questions that people wrote and that are not held out: they are taught beside those of the templates, in people's own wording."""

from bisect import bisect_right
from dataclasses import dataclass, field

from corpora import Profile
from ingest.manifest import Manifest
from ingest.schema import Chunk
from tune.facts import Fact
from tune.gold import find, letters, read_questions

KIND = "written"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that no document answers."""

    id: str
    question: str
    document: str  # the one that it was written about; may be empty
    kind: str = KIND


@dataclass(slots=True)
class Written:
    """The questions of a corpus that may be taught, and how many have a quote that is not in the index."""

    facts: list[Fact] = field(default_factory=list)
    unanswered: list[Unanswered] = field(default_factory=list)
    lost: int = 0


def written_questions(profile: Profile, manifest: Manifest, held: set[str]) -> Written:
    """Questions of the split `seen`; none where the corpus has no file of them. Raises `UserError` with the mistakes of the file."""
    written = Written()
    if not profile.questions.is_file():
        return written
    versions = {d["document"]: d["version"] for d in manifest.documents(profile.name) if d["version"] not in held}
    texts = {name: letters(manifest.text(version)) for name, version in versions.items()}
    chunks = {name: manifest.chunks(version) for name, version in versions.items()}
    for row in read_questions(profile):
        name = row.document or ""
        if row.split != "seen" or name in profile.tune.held_out:
            continue
        if not row.answerable:
            written.unanswered.append(Unanswered(row.id, row.question, name))
            continue
        places = find(row.quote or "", texts[name]) if name in texts else ()
        place = next((place for start, end in places if (place := _within(chunks[name], start, end))), None)
        if place and row.answer:
            written.facts.append(Fact(KIND, row.question, row.answer, *place, document=name))
        else:
            written.lost += 1
    return written


def _within(chunks: list[Chunk], start: int, end: int) -> tuple[Chunk, int, int] | None:
    """The chunk that holds a place of its document, and where in it; None where the place lies across two."""
    at = bisect_right([c.start for c in chunks], start) - 1
    if at < 0 or end > chunks[at].end:
        return None
    return chunks[at], start - chunks[at].start, end - chunks[at].start
