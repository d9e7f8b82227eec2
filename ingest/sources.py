"""Which files a command line means: files, folders and globs, each with the name that its document is known by."""

import glob
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from corpora import Profile, UserError
from ingest.archives import is_archive
from ingest.parse import Parser
from ingest.readers import no_reader, readable
from ingest.schema import FileReport, Status

WORKSPACE = "unpacked-"
INSIDE = "!/"  # between an archive's path and a name inside it


@dataclass(frozen=True, slots=True)
class Source:
    path: Path  # absolute; of a file in an archive `/folder/a.zip!/inner.pdf`
    name: str  # inside its corpus: `manuals/x100.pdf`
    file: Path  # where its bytes lie


def expand(paths: Sequence[Path], profile: Profile, known: Collection[str] = ()) -> list[Source | FileReport]:
    """Every file meant, once, in order; of a folder also a report of each that is left out. Hidden ones are not spoken of.

    Raises `UserError` for a path that is not there and under which none of the `known` paths lay, and when nothing readable is left.
    """
    found: dict[Path, Source | FileReport] = {}
    for given in paths:
        if str(given) in ("", ".") and not given.name:
            raise UserError(
                "The path is empty, or this folder itself.", "Name the folder or the files: ingest add CORPUS ./NAME"
            )
        if len(str(given)) > 4000:
            raise UserError("The path is too long.", "Name the folder that the file lies in.")
        matches = [given] if given.exists() else [Path(p) for p in sorted(glob.glob(str(given), recursive=True))]  # noqa: PTH207 (absolute patterns too)
        if not matches and not below(known, [given]):
            raise UserError(f"{given} does not exist.", "Check the path; a folder, a file or a quoted glob will do.")
        for match in matches:
            for path, name, out in _files(real(match)):
                if wanted(name, profile):
                    found.setdefault(path, out or Source(path, name, path))
    if not any(isinstance(f, Source) for f in found.values()) and not below(known, paths):
        raise UserError(f"Nothing readable in {', '.join(map(str, paths))}.", "See which files are: ingest add --help")
    return list(found.values())


def real(path: Path) -> Path:
    """Absolute, with no `..` and no linked folder on the way: a file has one place, however it was named."""
    return Path(os.path.realpath(path.parent), path.name) if path.name not in ("", "..") else Path(os.path.realpath(path))


def _files(root: Path) -> Iterable[tuple[Path, str, FileReport | None]]:
    """Path and name of each file, with a report where it is left out."""
    if not root.is_dir():
        yield root, root.name, None
        return
    # a folder's own name is part of its documents' names, so that two folders with a README each can live in one corpus
    base = root if root.name == "documents" else root.parent
    closed: list[Path] = []

    def left_out(path: Path, status: Status, reason: str) -> tuple[Path, str, FileReport]:
        return path, path.relative_to(base).as_posix(), FileReport(str(path), status, reason)

    for folder, folders, files in os.walk(root, onerror=lambda error: closed.append(Path(error.filename))):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__pycache__")))
        for linked in (path for path in (Path(folder, f) for f in folders) if path.is_symlink()):  # it may lead round in a circle
            yield left_out(linked, "skipped", "It is a link to a folder. Add that folder.")
        for file in sorted(files):
            path = Path(folder, file)
            if file.startswith((".", "~$")):
                continue
            if readable(path) or is_archive(path):
                yield path, path.relative_to(base).as_posix(), None
            else:
                yield left_out(path, "skipped", no_reader(path))
    for path in closed:
        yield left_out(path, "failed", "The folder cannot be opened. Check its rights.")


def wanted(name: str, profile: Profile) -> bool:
    return not any(fnmatch(name, pattern) for pattern in profile.ingest.exclude)


def below(known: Iterable[str], folders: Sequence[Path]) -> list[str]:
    """Of the paths known, those that are one of `folders` or lie in it."""
    roots = [real(folder) for folder in folders]
    return [path for path in known if any(Path(archive_of(path) or path).is_relative_to(root) for root in roots)]


def there(path: str) -> bool:
    """Is there still a file at a known path? Of a file in an archive: is the archive there? Where we may not look: perhaps."""
    try:
        return Path(archive_of(path) or path).is_file()
    except PermissionError:
        return True


@contextmanager
def workspace(run: Path) -> Iterator[Path]:
    """A folder for what a run unpacks and its readers put aside; it goes with the run, or after a kill with the next."""
    sweep_workspaces(run)
    run.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{WORKSPACE}{os.getpid()}-", dir=run) as folder:
        yield Path(folder)


def sweep_workspaces(run: Path) -> None:
    """Remove those of processes that are no more."""
    for left in run.glob(f"{WORKSPACE}*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            rmtree(left, ignore_errors=True)


def archive_of(path: str) -> str | None:
    """The archive that a known path lies in; a folder's name may end in `!` too."""
    heads = (path[: m.start()] for m in re.finditer(re.escape(INSIDE), path))
    return next((head for head in heads if is_archive(Path(head))), None)


def parents(path: str) -> set[str]:
    """The folders that a known path, or the archive it is in, lies in."""
    return set(map(str, Path(archive_of(path) or path).parents))


def meant(documents: Sequence[dict[str, Any]], given: str) -> list[dict[str, Any]]:
    """Of rows of `Manifest.documents`, the one that `given` names: by name, version or path, or by a file's name that no other has.

    A folder, an archive or a glob means all that lies in it. Empty where nothing is meant.
    """
    path = str(real(Path(given))) if given and "\0" not in given else ""
    for match in (
        lambda d: given in (d["version"], d["path"]) or path == d["path"] or given.replace(INSIDE, "/") == d["document"],
        lambda d: given == d["path"].replace(INSIDE, "/").rsplit("/", 1)[-1],
        lambda d: d["document"].startswith(f"{given.rstrip('/')}/") or (path and d["path"].startswith((f"{path}/", f"{path}{INSIDE}"))),
        lambda d: fnmatch(d["document"], given) or fnmatch(d["path"], given),
    ):
        if given and (found := [d for d in documents if match(d)]):
            return found
    return []


class Unpacked:
    """Sources with each archive among them replaced by what lies in it, unpacked in `folder`."""

    def __init__(self, profile: Profile, folder: Path, parser: Parser) -> None:
        self.profile, self.folder, self.parser = profile, folder, parser
        self.whole: set[str] = set()  # archives of which everything is known that is in them

    def files(self, sources: Sequence[Source | FileReport]) -> Iterator[Source | FileReport]:
        for source in sources:
            if isinstance(source, Source) and is_archive(source.path):
                yield from self._inside(source)
            else:
                yield source

    def _inside(self, archive: Source) -> Iterator[Source | FileReport]:
        folder = self.folder / uuid4().hex
        folder.mkdir()
        try:
            found = self.parser.unpack(archive.path, folder).result()
        except UserError as error:
            yield FileReport(str(archive.path), "failed", str(error))
            return
        if not any("/" not in label for label, _ in found["refused"]):
            self.whole.add(str(archive.path))
        not_taken: list[tuple[Status, list[tuple[str, str]]]] = [("failed", found["refused"]), ("skipped", found["skipped"])]
        for status, labels in not_taken:
            for label, reason in labels:
                inner = label.partition("/")[2]
                yield FileReport(f"{archive.path}{INSIDE}{inner}" if inner else str(archive.path), status, reason)
        for label, file in found["files"]:
            inner = label.partition("/")[2]
            if wanted(f"{archive.name}/{inner}", self.profile):
                yield Source(Path(f"{archive.path}{INSIDE}{inner}"), f"{archive.name}/{inner}", Path(file))
