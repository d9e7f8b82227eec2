"""Do manifest, vectors, keywords and originals agree? `find` says where not, `fix` mends what can be mended from the manifest."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from corpora import UserError
from ingest.embed import GROUP, Embedder
from ingest.keywords import Keywords
from ingest.manifest import Manifest
from ingest.publish import Publisher, hash_file, keep_original, originals
from ingest.settings import Settings
from ingest.vectors import Vectors, open_chroma


@dataclass(slots=True)
class Wrong:
    """What does not agree; all empty where everything does."""

    no_vector: set[str] = field(default_factory=set)  # chunk ids
    no_keywords: set[str] = field(default_factory=set)
    stray_vectors: set[str] = field(default_factory=set)
    stray_keywords: set[str] = field(default_factory=set)  # also those that are there twice
    unplaced: list[str] = field(default_factory=list)  # live versions that lie nowhere
    lost: list[str] = field(default_factory=list)  # paths whose version is not live or not there
    stray_originals: list[Path] = field(default_factory=list)  # kept files of any corpus that no version needs
    torn: list[str] = field(default_factory=list)  # versions whose chunks do not give back their text
    originals: list[str] = field(default_factory=list)  # versions whose original is missing or altered

    def sentences(self) -> list[str]:
        counted = ((self.no_vector, "chunks have no vector entry"), (self.no_keywords, "chunks have no keyword entry"),
                   (self.stray_vectors, "vector entries have no live chunk"),
                   (self.stray_keywords, "keyword entries have no live chunk"),
                   (self.unplaced, "live versions lie nowhere"), (self.stray_originals, "kept originals belong to no version"))  # fmt: skip
        return [
            *(f"{len(ids)} {what}" for ids, what in counted if ids),
            *(f"the chunks of version {v} do not give back its text" for v in self.torn),
            *(f"the original of version {v} is missing or altered" for v in self.originals),
            *(f"the version of {path} is missing" for path in self.lost),
        ]


def find(corpus: str, settings: Settings, manifest: Manifest, corpus_id: str) -> Wrong:
    """Compare every part of a corpus's index with the manifest, while nobody writes to it."""
    wrong = Wrong()
    live = set(manifest.chunk_ids(corpus))
    with open_chroma(settings) as client:
        vectors = set(Vectors(client, corpus_id).ids())
    keywords = Counter(Keywords(settings.root / "keywords" / corpus_id).ids())
    wrong.no_vector, wrong.stray_vectors = live - vectors, vectors - live
    wrong.no_keywords = live - set(keywords)
    wrong.stray_keywords = {i for i, n in keywords.items() if n > 1 or i not in live}
    wrong.unplaced, wrong.lost = manifest.unplaced(corpus), manifest.lost(corpus)
    with originals(settings):
        needed = manifest.needed()
        wrong.stray_originals = sorted(f for f in (settings.root / "files").glob("*") if f.name not in needed)
    for version in sorted({d["version"] for d in manifest.documents(corpus)}):
        text, chunks = manifest.text(version), manifest.chunks(version)
        if "".join(c.text for c in chunks) != text or any(text[c.start : c.end] != c.text for c in chunks):
            wrong.torn.append(version)
        row, original = manifest.version(version), manifest.original(version)
        if row and row["redacted"] is None and (original is None or hash_file(original) != row["sha256"]):
            wrong.originals.append(version)
    return wrong


def fix(wrong: Wrong, corpus: str, settings: Settings, manifest: Manifest, corpus_id: str, embedder: Embedder) -> None:
    """Make vectors and keywords follow the manifest, and keep originals anew where their files are still as they were."""
    with open_chroma(settings) as client:
        vectors = Vectors(client, corpus_id)
        vectors.delete(sorted(wrong.stray_vectors))
        missing = sorted(wrong.no_vector)
        for at in range(0, len(missing), GROUP):
            found = manifest.live_chunks(corpus, missing[at : at + GROUP])
            vectors.add(list(found), embedder.encode([c.embedded for c, _ in found.values()]))
    keywords = Keywords(settings.root / "keywords" / corpus_id)
    again = {i.rsplit(":", 1)[0] for i in wrong.no_keywords | wrong.stray_keywords}
    live = {d["version"] for d in manifest.documents(corpus)}
    keywords.write([c for v in sorted(again & live) for c in manifest.chunks(v)], sorted(again))
    manifest.distrust(wrong.torn)
    manifest.retire(corpus, wrong.unplaced)
    with originals(settings):
        for path in wrong.stray_originals:
            if path.name not in manifest.needed():
                path.unlink(missing_ok=True)
    for version in wrong.originals:
        _keep_again(version, corpus, settings, manifest)


def _keep_again(version: str, corpus: str, settings: Settings, manifest: Manifest) -> None:
    for path, row in manifest.places(corpus).items():
        if row["version"] != version or not Path(path).is_file() or hash_file(Path(path)) != row["sha256"]:
            continue
        (settings.root / "files" / row["sha256"]).unlink(missing_ok=True)
        try:
            keep_original(settings, Path(path), row["sha256"])
        except UserError:  # it is being written to; the next file may do
            continue
        return


def verify(corpus: str, settings: Settings, publisher: Publisher, embedder: Embedder | None = None) -> list[str]:
    """What is wrong with a corpus's index, one sentence each; an empty list proves that its parts agree.

    Given the embedder, what can be mended is, and what is left is returned.
    """
    with publisher.writing(any_stamp=True) as (manifest, corpus_id):
        wrong = find(corpus, settings, manifest, corpus_id)
        if embedder and wrong.sentences():
            fix(wrong, corpus, settings, manifest, corpus_id, embedder)
            publisher.sweep(manifest, corpus_id)
            wrong = find(corpus, settings, manifest, corpus_id)
        return wrong.sentences()
