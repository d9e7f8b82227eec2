"""Which files a command line means: files, folders and globs, each with the name that its document is known by."""

import glob
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from corpora import Profile, UserError
from ingest.readers import readable


@dataclass(frozen=True, slots=True)
class Source:
    path: Path  # absolute
    name: str  # inside its corpus: `manuals/x100.pdf`


def expand(paths: Sequence[Path], profile: Profile) -> list[Source]:
    """Every file meant, once, in order. In a folder, files without a reader and hidden ones are passed over.

    Raises `UserError` for a path that is not there, and when nothing readable is left.
    """
    found: dict[Path, Source] = {}
    for given in paths:
        if str(given) in ("", ".") and not given.name:
            raise UserError(
                "The path is empty, or this folder itself.", "Name the folder or the files: ingest add CORPUS ./NAME"
            )
        if len(str(given)) > 4000:
            raise UserError("The path is too long.", "Name the folder that the file lies in.")
        matches = [given] if given.exists() else [Path(p) for p in sorted(glob.glob(str(given), recursive=True))]  # noqa: PTH207 (absolute patterns too)
        if not matches:
            raise UserError(f"{given} does not exist.", "Check the path; a folder, a file or a quoted glob will do.")
        for match in matches:
            for path, name in _files(match.absolute()):
                if not any(fnmatch(name, pattern) for pattern in profile.ingest.exclude):
                    found.setdefault(path, Source(path, name))
    if not found:
        raise UserError(f"Nothing readable in {', '.join(map(str, paths))}.", "See which files are: ingest add --help")
    return list(found.values())


def _files(root: Path) -> Iterable[tuple[Path, str]]:
    if not root.is_dir():
        yield root, root.name
        return
    # a folder's own name is part of its documents' names, so that two folders with a README each can live in one corpus
    base = root if root.name == "documents" else root.parent
    closed: list[Path] = []
    for folder, folders, files in os.walk(root, onerror=lambda error: closed.append(Path(error.filename))):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__pycache__")))
        for file in sorted(files):
            path = Path(folder, file)
            if readable(path) and not file.startswith((".", "~$")):
                yield path, path.relative_to(base).as_posix()
    yield from ((path, path.relative_to(base).as_posix()) for path in closed)  # to be reported as failed


def missing(places: Iterable[sqlite3.Row], folders: Sequence[Path]) -> list[str]:
    """Paths of places inside `folders` whose files are gone."""
    roots = [folder.absolute() for folder in folders]
    return [
        p["path"]
        for p in places
        if any(Path(p["path"]).is_relative_to(root) for root in roots) and not Path(p["path"]).exists()
    ]
