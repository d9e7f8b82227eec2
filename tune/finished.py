"""Finished documents of a folder: each becomes a row of what a clerk would ask for and, as the answer, the document itself."""

import os
from collections import deque
from pathlib import Path
from stat import S_ISREG

from corpora import UserError
from ingest.console import harmless
from ingest.embed import open_embedder
from ingest.parse import Parser, Rules
from ingest.readers import no_reader, readable
from ingest.redact import redact
from ingest.settings import Settings
from ingest.sources import workspace
from tune.chance import chance
from tune.elements import elements_of
from tune.formats import Given, check, check_text
from tune.lines import SHOWN
from tune.request import request
from tune.talk import Talk

FORMAT = "finished documents"
MOST = 10_000  # files of a folder
WORKERS = 4  # children that read
CAP = 64  # tokens of a chunk; the readers' children cut texts for the index too, which nobody asks for here
LINK = "It is a link, and none is followed."
NO_FILE = "It is no file."


def read_folder(folder: Path, settings: Settings, seed: int, talk: Talk) -> tuple[list[Given], dict[str, str]]:
    """The rows of its finished documents, and of each other file why it is left out, by name.

    Readers run in child processes, as for the index. Raises `UserError` with every reason where no row comes out.
    """
    rows, left_out = list[Given](), dict[str, str]()
    paths = list[Path]()
    for path in files_of(folder):
        reason = LINK if path.is_symlink() else NO_FILE if not S_ISREG(path.lstat().st_mode) else "" if readable(path) else no_reader(path)
        if reason:
            left_out[shown(path, folder)] = reason
        else:
            paths.append(path)
    rules = Rules(str(open_embedder(settings).folder), CAP)
    with workspace(settings.run) as aside, Parser(rules, max(1, min(os.cpu_count() or 1, WORKERS, len(paths))), aside) as parser:
        reading = deque((name := shown(path, folder), parser.parse(path, "", False, path.stem, name)) for path in paths)
        with talk.bar("Finished documents", len(paths)) as advance:
            while reading:
                name, parsed = reading.popleft()
                try:
                    rows.append(_row(name, parsed.result().document.text, seed))
                except UserError as error:
                    left_out[name] = error.message
                except ValueError as error:
                    left_out[name] = f"{str(error)[:1].upper()}{str(error)[1:]}."
                advance(1, name)
    told = [f"{name}: {reason}" for name, reason in left_out.items()]
    more = f" And {len(told) - SHOWN:,} more." if len(told) > SHOWN else ""
    if not rows:
        raise UserError(f"No finished document was found in {folder}. {' '.join(told[:SHOWN]) or 'It holds no files.'}{more}",
                        "Put notices, reports, letters, memoranda or minutes there, as .docx, .pdf, .md or .txt.")  # fmt: skip
    if told:
        talk.say("\n".join([f"{len(told)} files of {folder} are left out:", *told[:SHOWN]]) + more)
    return rows, left_out


def files_of(folder: Path) -> list[Path]:
    """Everything in the folder, and in those inside, that is neither hidden nor a folder; links are not followed but listed.

    Raises `UserError` where it holds more than `MOST` files, or cannot be opened.
    """
    found: list[Path] = []
    for at, folders, files in os.walk(folder, onerror=_closed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = sorted([*files, *(name for name in folders if Path(at, name).is_symlink())])
        found += [Path(at, name) for name in here if not name.startswith((".", "~$"))]
        if len(found) > MOST:
            raise UserError(f"{folder} holds more than {MOST:,} files.", "Name a folder of finished documents alone.")
    return found


def shown(path: Path, folder: Path) -> str:
    """A file's name in messages and rows, on one line whatever characters it has: `letters/2025/notice.docx`."""
    return harmless(path.relative_to(folder.parent).as_posix()).replace("\n", "\\n")


def _closed(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be opened ({error.strerror}).", "Look at its rights.")


def _row(place: str, text: str, seed: int) -> Given:
    """Raises `ValueError` where the text is no finished document. What is personal stands in no request, for the answer will lose it."""
    check_text(text)
    messages = [{"role": "user", "content": request(elements_of(redact(text)[0]), chance(seed, place))}]
    check(messages, text, ())
    return Given(place, messages, text.strip(), finished=True)
