"""Uploaded documents: kept under home/uploads/<corpus>, by a name that is made safe here."""

import os
import re
import unicodedata
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from corpora import UserError, load_profile
from ingest.manifest import Manifest
from ingest.readers import READERS, readable
from ingest.settings import Settings

MAX_NAME = 180  # bytes; file systems take 255
UNSAFE = re.compile(
    r'[\x00-\x1f\x7f<>:"|?*]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]'
)  # the last ones turn text around


def upload_name(label: str) -> str:
    """A plain file name made from what a client calls its file. Raises `UserError` where nothing usable is left."""
    name = unicodedata.normalize("NFC", label.encode("utf-8", "ignore").decode())
    name = UNSAFE.sub("", name.replace("\\", "/").rsplit("/", 1)[-1])
    name = " ".join(name.split()).lstrip(".~$- ").rstrip(". ")
    path = Path(name)
    if not path.stem or not readable(path):
        raise UserError(f"No reader for a file called {label[-80:]!r}.", f"Readable: {' '.join(sorted(READERS))}")
    stem = path.stem.encode()[: MAX_NAME - len(path.suffix)].decode("utf-8", "ignore").rstrip()
    return stem + path.suffix


def keep_upload(settings: Settings, corpus: str, label: str, file: BinaryIO) -> Path:
    """Store an upload whole or not at all; one of the same name takes its place."""
    load_profile(corpus, settings.root)
    target = uploads(settings, corpus) / upload_name(label)
    keep(target, file)
    return target


def keep(target: Path, file: BinaryIO) -> None:
    """Store what `file` holds as `target`, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=target.parent, prefix=".part-", delete=False) as part:
        try:
            while piece := file.read(2**20):
                part.write(piece)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(target)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def forget_uploads(settings: Settings, corpus: str, paths: list[str]) -> None:
    """Delete the uploads among `paths`, so that indexing the folder again does not bring a removed document back."""
    folder = uploads(settings, corpus)
    for path in map(Path, paths):
        if path.parent == folder:
            path.unlink(missing_ok=True)


def forget_unread(settings: Settings, corpus: str, paths: list[str]) -> None:
    """Delete the uploads among `paths` that no document came of: they would fail again whenever the corpus is indexed."""
    manifest = Manifest(settings.root)
    try:
        kept = {row["path"] for row in manifest.documents(corpus)}
    finally:
        manifest.close()
    forget_uploads(settings, corpus, [path for path in paths if path not in kept])


def indexed_paths(settings: Settings, corpus: str) -> list[Path]:
    """What `ingest add` is given for a whole corpus: the profile's sources, and each upload by itself."""
    sources = [path for path in load_profile(corpus, settings.root).sources if path.exists()]
    folder = uploads(settings, corpus)
    sent = sorted(p for p in folder.iterdir() if readable(p) and not p.name.startswith(".")) if folder.is_dir() else []
    if not sources and not sent:
        raise UserError(f"{corpus} has no documents yet.", f"Upload one, or: ingest add {corpus} PATH")
    return sources + sent


def uploads(settings: Settings, corpus: str) -> Path:
    return settings.root / "uploads" / corpus
