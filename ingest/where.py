"""Where a search looks: in some documents, those in one language or of some days, under some heading.  Run: ingest search --help"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from corpora import UserError
from ingest.tokens import fold


class Placed(NamedTuple):
    """A live document where it lies: version, name, title, language, and when its file was last changed, in ns."""

    version: str
    name: str
    title: str
    lang: str
    mtime_ns: int
    path: str


class Places:
    """The live documents of a corpus, to be looked up by name, path and version."""

    def __init__(self, rows: Iterable[Placed] = ()) -> None:
        self.rows = list(rows)
        self.called: dict[str, list[Placed]] = {}
        self.files: dict[str, list[Placed]] = {}  # by the file's name alone
        for row in self.rows:
            for name in {row.name, row.path, row.version}:
                self.called.setdefault(name, []).append(row)
            self.files.setdefault(row.name.rpartition("/")[2], []).append(row)

    def find(self, document: str, corpus: str) -> list[Placed]:
        """Those of this name, path or version, else of this file's name, else those that the pattern fits.

        Raises `UserError` where there is none.
        """
        found = self.called.get(document) or self.files.get(document) or []
        if not found and any(c in document for c in "*?["):
            found = [p for p in self.rows if fnmatchcase(p.name, document)]
        if not found:
            raise UserError(f"No document {document[:80]!r} in {corpus}.", f"See: ingest list {corpus}")
        return found


@dataclass(frozen=True, slots=True)
class Where:
    """What is searched; all of it where nothing is said. Names may have `*`: a folder is a tag.

    Days are those of the files, in UTC; `after` and `before` count themselves. `section` is a heading, or its number, as it is written.
    """

    documents: tuple[str, ...] = ()
    section: str = ""
    lang: str = ""
    after: date | None = None
    before: date | None = None

    def __bool__(self) -> bool:
        return bool(self.documents or self.section or self.lang or self.after or self.before)

    def versions(self, places: Places, corpus: str) -> set[str]:
        """The versions to be searched; none where that is all. Raises `UserError` for an unknown document, and where none is left."""
        found = [p for document in self.documents for p in places.find(document, corpus)] if self.documents else places.rows
        if not (self.lang or self.after or self.before):
            return {p.version for p in found} if self.documents else set()
        found = [p for p in found if self._is_meant(p)]
        if not found:
            raise UserError(f"No document of {corpus} is {' and '.join(self._said())}.", f"See: ingest list {corpus}")
        return {p.version for p in found}

    def holds(self, context: str) -> bool:
        """Does a chunk under this trail of headings stand in the section?"""
        wanted = rf"(?<![0-9a-z.]){re.escape(fold(self.section).casefold().strip())}(?![0-9a-z]|\.\d)"
        return not self.section or bool(re.search(wanted, fold(context).casefold()))

    def _is_meant(self, placed: Placed) -> bool:
        day = datetime.fromtimestamp(placed.mtime_ns / 1e9, UTC).date()
        return self.lang in ("", placed.lang) and (self.after or day) <= day <= (self.before or day)

    def _said(self) -> list[str]:
        return ([f"in {self.lang!r}"] if self.lang else []) + [
            f"of {day} or {name}" for name, day in (("later", self.after), ("earlier", self.before)) if day
        ]

