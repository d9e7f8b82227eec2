"""The files of a set: a row a line as JSON, or cells with tabs between. Every mistake of a file is told at once, with its line."""

import gzip
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

from corpora import UserError

LARGEST = 512 * 2**20  # bytes of a file, unpacked
SHOWN = 50  # mistakes of a file that are told; the rest is counted

def has_words(text: str) -> str:
    if not any(map(str.isalnum, text)):
        raise ValueError("it holds no words")
    return text


Words = Annotated[str, AfterValidator(has_words)]  # what cannot be indexed is told before anything is
R = TypeVar("R", bound=BaseModel)


def read_lines(file: Path, kind: type[R]) -> list[R]:
    """The rows of a file; BEIR's own `_id` is `id` here. Raises `UserError` with its mistakes; an id that stands twice is one."""
    rows, wrong, first = list[R](), list[str](), dict[Any, int]()
    for number, line in enumerate(text_of(file).split("\n"), 1):  # U+2028 and U+0085 may stand in a JSON string
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            wrong.append(f"line {number} has half a surrogate pair")
            continue
        except (ValueError, RecursionError):
            wrong.append(f"line {number} is no JSON")
            continue
        if not isinstance(data, dict):
            wrong.append(f"line {number} is no object")
            continue
        if "_id" in data:
            data.setdefault("id", data.pop("_id"))
        name = str(data.get("id"))
        if "id" in data and first.setdefault(name, number) != number:
            wrong.append(f"line {number} has the id of line {first[name]}, {name[:40]!r}")
        try:
            rows.append(kind.model_validate(data))
        except ValidationError as error:
            wrong += [f"line {number}{fault}" for fault in _faults(error)]
    refuse(file, wrong)
    return rows


def refuse(file: Path, wrong: Sequence[str]) -> None:
    """Raises `UserError` where anything is wrong with the file."""
    if wrong:
        more = f"; and {len(wrong) - SHOWN:,} more mistakes" if len(wrong) > SHOWN else ""
        raise UserError(f"{file}: {'; '.join(wrong[:SHOWN])}{more}.", "Mend the file and try again.")


def text_of(file: Path) -> str:
    """The text of a file, packed or not. Raises `UserError` where it cannot be read."""
    try:
        if file.exists() and not file.is_file():
            raise UserError(f"{file} is no file.", "Name a file with rows.")
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise UserError(f"{file} holds more than {LARGEST // 2**20:,} MB.", "Split it.")
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"There is no {file}.", "Look at its name; what is read from where: tune eval --help, tune data --help") from None
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise UserError(f"{file} cannot be read ({error}).", "Save it as UTF-8 and try again.") from None


def _faults(error: ValidationError) -> list[str]:
    found = [(one["type"] == "missing", ".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in error.errors()]
    missing = [f" has no {', '.join(place for absent, place, _ in found if absent)}"] if any(absent for absent, *_ in found) else []
    return missing + [f": {place}: {said[:1].lower()}{said[1:]}" for absent, place, said in found if not absent]
