"""Archives taken apart: ZIP, and TAR plain or packed by gzip, bzip2 or xz, in bounded memory and within limits."""

import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IFMT, S_ISREG
from typing import IO
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile

from ingest.console import DISK
from ingest.labels import label_of, tar_name, zip_name
from ingest.readers import no_reader, readable
from ingest.streams import BLOCK, Excess, Metered, Sipped

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
METHODS = (ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2)
ENCRYPTED = 0x1  # flag of a ZIP entry
RATIO_FROM = 2**20  # bytes; a shorter text may well shrink to a thousandth
RUBBISH = ("__macosx", "thumbs.db", "desktop.ini")
NO_FILE = "It is a link or a device, no file."


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may unpack to, with everything in the archives inside it."""

    entries: int = 10_000  # of any kind, those passed over too
    size: int = 2**30  # bytes
    ratio: int = 100  # bytes out for a byte in; text seldom passes 20, a bomb has 1,000 and more
    depth: int = 3  # archives in archives


@dataclass(slots=True)
class Unpacked:
    """What came out: `(label, file)` in the archive's order, and `(label, reason)` of what was refused and of what no reader takes.

    A label is the way inside: `outer.zip/inner.zip/file.pdf`. No two are the same.
    """

    files: list[tuple[str, Path]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


LIMITS = Limits()


def is_archive(path: Path) -> bool:
    """By its name, as with readers: a DOCX is a ZIP too, and is read as a document."""
    return bool(_ending(path.name))


def unpack(path: Path, folder: Path, limits: Limits = LIMITS) -> Unpacked:
    """Take `path` apart into `folder`, as `0001.pdf`, `0002.docx` …: what a reader takes, and that in archives inside.

    Nothing else is written, whatever the names inside. A damaged archive is among the refused, after what could be read of it.
    """
    work = _Work(folder, limits)
    label = label_of(path.name) or "archive"
    work.expand(path, label, 1)
    if not (work.out.files or work.out.refused or work.out.skipped):
        work.out.refused.append((label, "Nothing in the archive can be read. Add a file of a kind that can be."))
    return work.out


class _Work:
    """One call of `unpack`: what is used of the limits, and what came out so far."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder, self.limits = folder, limits
        self.out = Unpacked()
        self._entries = self._size = self._written = 0
        self._labels: dict[str, int] = {}  # how often each was wanted

    def expand(self, path: Path, label: str, depth: int) -> None:
        try:
            if _ending(path.name) == ".zip":
                self._zip(path, label, depth)
            else:
                self._tar(path, label, depth)
        except Excess as reason:
            self.out.refused.append((label, str(reason)))
        except Exception as error:  # a parser may raise anything on damaged bytes; the archive is then the one at fault
            _raise_if_ours(error)
            self.out.refused.append((label, "The archive is damaged, or not what its name says. Pack it anew."))

    def _zip(self, path: Path, label: str, depth: int) -> None:
        whole = path.stat().st_size
        with Sipped(path) as file, ZipFile(file) as archive:
            for info in archive.infolist():
                self._count_entry()
                name, mode = label_of(zip_name(info)), info.external_attr >> 16
                if info.is_dir() or not self._is_wanted(name, label):
                    continue
                inner = self._unique(f"{label}/{name}")
                if info.flag_bits & ENCRYPTED:
                    self._refuse(inner, "It is encrypted. Unpack it with its password and add what is inside.")
                elif S_IFMT(mode) and not S_ISREG(mode):
                    self._refuse(inner, NO_FILE)
                elif info.compress_type not in METHODS:
                    self._refuse(
                        inner, "It is packed by a method that is not read. Pack the archive anew as a plain ZIP."
                    )
                else:
                    with self._alone(inner), archive.open(info) as source:
                        self._take(source, inner, depth, min(info.compress_size, whole))

    def _tar(self, path: Path, label: str, depth: int) -> None:
        with path.open("rb") as file:
            stream = Metered(file, self._count_unpacked)
            with tarfile.open(fileobj=stream, mode="r:", errorlevel=2) as archive:
                while (member := archive.next()) is not None:
                    archive.members = []  # type: ignore[attr-defined]  # each is needed once
                    self._count_entry()
                    name = label_of(tar_name(member.name))
                    if member.isdir() or not self._is_wanted(name, label):
                        continue
                    inner = self._unique(f"{label}/{name}")
                    source = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                    if source is None:
                        self._refuse(inner, NO_FILE)
                    else:
                        self._take(source, inner, depth)
                if stream.last.strip(b"\0"):  # tarfile takes a damaged entry for the end
                    raise tarfile.ReadError("bad header")

    def _take(self, source: IO[bytes], label: str, depth: int, packed: int | None = None) -> None:
        """Write one entry, `packed` bytes large in a ZIP, under the next number; an archive is expanded in its place."""
        ending = _ending(label)
        if ending and depth >= self.limits.depth:
            self._refuse(
                label,
                f"Archives lie more than {self.limits.depth} deep in each other. Unpack this one and add it by itself.",
            )
            return
        self._written += 1
        suffix = ending or re.sub(r"[^a-z0-9.]", "", Path(label).suffix.lower())
        target = self.folder / f"{self._written:04}{suffix}"
        try:
            with target.open("xb") as out:  # never over another file, nor through a link
                size = 0
                while piece := source.read(BLOCK):
                    size += len(piece)
                    if packed is not None:  # a TAR's bytes are counted where they are unpacked
                        self._count_unpacked(len(piece), size, packed)
                    out.write(piece)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        if not ending:
            self.out.files.append((label, target))
            return
        try:
            self.expand(target, label, depth + 1)
        finally:
            target.unlink()

    @contextmanager
    def _alone(self, label: str) -> Iterator[None]:
        """A ZIP's entry that is damaged or a bomb costs no other; a limit of the whole ends it all."""
        try:
            yield
        except Excess as reason:
            if self._size > self.limits.size:
                raise
            self._refuse(label, str(reason))
        except Exception as error:  # as in `expand`
            _raise_if_ours(error)
            self._refuse(label, "It is damaged in the archive. Pack it anew.")

    def _is_wanted(self, name: str, label: str) -> bool:
        if any(part.lower() in RUBBISH or part.startswith((".", "~$")) for part in name.split("/")):
            return False
        if not _ending(name) and not readable(Path(name)):
            self.out.skipped.append((f"{label}/{name}", no_reader(Path(name))))
            return False
        return True

    def _refuse(self, label: str, reason: str) -> None:
        self.out.refused.append((label, reason))

    def _unique(self, label: str) -> str:
        """`a.pdf`, then `a (2).pdf`: an archive may hold several files of one name."""
        ending = _ending(label) or Path(label).suffix
        wanted = label
        while label in self._labels:
            self._labels[wanted] += 1
            label = f"{wanted.removesuffix(ending)} ({self._labels[wanted]}){ending}"
        self._labels[label] = 1
        return label

    def _count_entry(self) -> None:
        self._entries += 1
        if self._entries > self.limits.entries:
            raise Excess(
                f"The archive holds more than {self.limits.entries:,} entries; those after them are left out. Split it."
            )

    def _count_unpacked(self, size: int, out: int, packed: int) -> None:
        """`size` bytes more were unpacked: `out` so far from the `packed` bytes of this entry or stream."""
        self._size += size
        if self._size > self.limits.size:
            most = self.limits.size / 2**20
            raise Excess(f"It unpacks to more than {most:,.0f} MiB; what follows is left out. Split the archive.")
        if out > RATIO_FROM and out > self.limits.ratio * packed:
            raise Excess(f"It unpacks to more than {self.limits.ratio} times its size, as no document does.")


def _ending(name: str) -> str:
    """The longest ending that makes `name` an archive's; empty where none does."""
    return max((e for e in ENDINGS if name.lower().endswith(e)), key=len, default="")


def _raise_if_ours(error: Exception) -> None:
    """A full disk, or no memory, is no fault of the archive's; but damaged bytes send its readers to places that no file has."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in DISK):
        raise error
