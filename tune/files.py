"""What a team gives to be taught from: files of rows, and folders of finished documents.  Run: tune data maintenance --from FILE FOLDER"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from corpora import UserError
from ingest.settings import Settings
from tune.finished import FORMAT, files_of, read_folder
from tune.formats import Given, listed_files, read_rows
from tune.given import about
from tune.talk import Talk


@dataclass(slots=True)
class Files:
    """Their rows, how many are of which format, and of files in folders that gave none the reason by name."""

    rows: list[Given] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, str] = field(default_factory=dict)


def read_files(paths: Sequence[Path], topic: str, settings: Settings, seed: int, talk: Talk) -> Files:
    """The rows of the files and folders about `topic`. Raises `UserError` with every file's mistakes at once."""
    if topic and not paths:
        raise UserError("--filter takes a part of files, and none was given.", "Name them: tune data CORPUS --from FILE --filter TOPIC")
    found, wrong = Files(), list[UserError]()
    for path in paths:
        try:
            if path.is_dir():
                rows, left_out = read_folder(path.resolve(), settings, seed, talk)
                kinds = {FORMAT: len(rows)}
                found.left_out |= left_out
            else:
                rows, kinds = read_rows(path)
        except UserError as error:
            wrong.append(error)
            continue
        talk.say(f"{path}: {', '.join(f'{n} rows of {kind}' for kind, n in kinds.items())}")
        found.rows += rows
        found.formats.update(kinds)
    if wrong:
        raise UserError(" ".join(error.message for error in wrong), wrong[0].next_step)
    if topic and found.rows:
        found.rows = about(topic, found.rows)
        talk.say(f"{len(found.rows)} of them are about {topic}.")
        if not found.rows:
            raise UserError(f"No row is about {topic!r}.", "Name it in the words of the rows: --filter TOPIC")
    return found


def parts_of(path: Path) -> list[Path]:
    """All that the rows of a file or folder depend on: the files in it, or those that a dataset_info.json lists."""
    if path.is_dir():
        return [file for file in files_of(path) if not file.is_symlink()]
    return [path, *listed_files(path)]
