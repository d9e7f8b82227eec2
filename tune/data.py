"""The rows of a corpus on disk: home/runs/data/CORPUS/{sft.jsonl, dpo.jsonl, data.json, card.md}.  Run: tune data maintenance"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from corpora import Profile, UserError
from ingest.fitted import fitted
from ingest.locks import lock
from ingest.settings import Settings
from serve.chain import Assistant, open_assistant
from serve.journal import Journal
from serve.prompt import template_hash
from serve.tokenizer import counter
from tune.base import base_folder, load_tokenizer
from tune.card import data_card
from tune.examples import Harvest, make_examples
from tune.files import parts_of, read_files
from tune.given import KIND
from tune.heldout import held_out_versions
from tune.labels import Encoded, decoded, encode
from tune.maker import Maker, Taught
from tune.mined import mined_pairs, student
from tune.pairs import feedback_pairs, mistake_pairs
from tune.renamed import RENAMED
from tune.schema import Example, PreferencePair
from tune.talk import Talk

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ROWS = 600  # examples; on two cores some 600 rows of the small tier train in about an hour
WAY = 6  # of making rows; those made by an earlier one are made anew
MISTAKES = 200  # deliberate mistakes among the preference pairs
BUCKET = 64  # tokens a line of the histogram stands for
Row = TypeVar("Row", bound=BaseModel)


class Data(BaseModel):
    """data.json: what the rows were made from, and what they are."""

    corpus: str
    stamp: dict[str, str]  # hashes of what they depend on; one that differs makes them stale
    rows_asked: int
    seed: int
    files: list[str] = []  # and folders that rows were taken from, and of those the ones about `topic`
    topic: str = ""
    augment: int = 0  # rows asked for that put questions in other words
    rename: int = 0  # and rows asked for under other names
    mine: int = 0  # questions put to the newest SFT adapter,
    mined: int | None = None  # the version whose mistakes are among the pairs
    formats: dict[str, int] = {}  # of their rows
    left_out: dict[str, str] = {}  # files in folders that gave none, each with the reason
    rows: int
    refusals: int
    kinds: dict[str, int]
    augmented: dict[str, int] = {}  # of the rows, by how their questions were varied
    documents: dict[str, int]
    held_out: list[str]
    dropped: dict[str, int]
    pairs: dict[str, int]  # by source
    tokens: dict[str, int]  # shortest, median, longest
    histogram: dict[str, int]  # rows by tokens
    sft_hash: str
    dpo_hash: str


def data_folder(settings: Settings, corpus: str) -> Path:
    return settings.root / "runs" / "data" / corpus


def make_data(settings: Settings, corpus: str, rows: int, seed: int, talk: Talk, files: Sequence[Path] = (),
              topic: str = "", augment: int = 0, rename: int = 0, mine: int = 0) -> tuple[Data, str]:  # fmt: skip
    """Make and write the rows of a corpus; returns what they are, and one of them as the model sees it.

    `augment` more rows at most put their questions in other words, and `rename` more have other codes and figures.
    With `mine` as many are put to the newest SFT adapter, and where it errs a preference pair is made.
    Raises `UserError` where a file has mistakes, with all of them, and where there is no adapter or model server to mine; what was made
    before stays.
    """
    given = read_files(files, topic, settings, seed, talk)
    assistant = open_assistant(corpus, settings)
    base = base_folder(assistant.tier, settings, talk.say)
    asked = student(assistant, base) if mine else None
    folder = data_folder(settings, corpus)
    with assistant.searcher, lock(folder.with_suffix(".lock"), f"The training rows of {corpus}"):
        tokenizer, length = load_tokenizer(base), assistant.tier.prompt_budget
        with one_thread():
            harvest = make_examples(assistant, rows, seed, talk, given.rows, augment, rename)
        if not harvest.taught:
            reasons = ", ".join(f"{n} {reason}" for reason, n in harvest.dropped.most_common(3))
            raise UserError(f"No training row of {corpus} came out ({reasons}).", f"See what is indexed: ingest list {corpus}")
        encoded = _encoded(tokenizer, harvest, length)
        held = held_out_versions(assistant.profile, assistant.searcher.manifest)
        count, longest = counter(base), assistant.profile.serve.max_tokens
        real = [row for row in harvest.taught if row.example.augmented != RENAMED]
        pairs = feedback_pairs(assistant, held, harvest.dropped)
        if asked:
            pairs += mined_pairs(Maker(assistant, held, count), harvest.taught, asked, mine, seed, talk)
        pairs = _fitting(tokenizer, pairs, length, harvest.dropped) + mistake_pairs(real, MISTAKES, seed, count, longest)
        examples = [row.example for row in harvest.taught]
        lengths = sorted(len(row.ids) for row in encoded)
        sft, dpo = _jsonl(examples), _jsonl(pairs)
        data = Data(
            corpus=corpus, stamp=stamp(assistant, files), rows_asked=rows, seed=seed,
            files=[str(file.resolve()) for file in files], topic=topic, augment=augment, rename=rename, mine=mine,
            mined=asked.version if asked else None,
            formats=dict(given.formats), augmented=_counts(e.augmented for e in examples if e.augmented),
            left_out=given.left_out, rows=len(examples), refusals=sum(not e.answerable for e in examples),
            kinds=_counts(e.kind for e in examples), documents=_counts(e.document for e in examples), held_out=harvest.held_out,
            dropped=dict(harvest.dropped), pairs=_counts(p.source for p in pairs),
            tokens={"shortest": lengths[0], "median": lengths[len(lengths) // 2], "longest": lengths[-1]},
            histogram=_counts(f"{n // BUCKET * BUCKET}" for n in lengths),
            sft_hash=hashlib.sha256(sft).hexdigest(), dpo_hash=hashlib.sha256(dpo).hexdigest(),
        )  # fmt: skip
        _write(folder, {"sft.jsonl": sft, "dpo.jsonl": dpo, "card.md": data_card(data, assistant.tier.base.id).encode(),
                        "data.json": data.model_dump_json(indent=2).encode()})  # fmt: skip
    return data, decoded(tokenizer, encoded[0])


def _encoded(tokenizer: "PreTrainedTokenizerBase", harvest: Harvest, length: int) -> list[Encoded]:
    """Every row in tokens. One of a file that does not come out as an answer and EOS is dropped; one of ours would be our mistake."""
    taught, encoded = list[Taught](), list[Encoded]()
    for row in harvest.taught:
        try:
            encoded.append(encode(tokenizer, row.example.id, row.example.prompt, row.example.completion, length))
            taught.append(row)
        except UserError:
            if not row.example.kind.startswith(KIND):
                raise
            harvest.dropped["too long, or written otherwise by the base's chat template"] += 1
    harvest.taught = taught
    return encoded


def _fitting(
    tokenizer: "PreTrainedTokenizerBase", pairs: Sequence[PreferencePair], length: int, dropped: Counter[str]
) -> list[PreferencePair]:
    """Those whose answers both fit behind the prompt: people's corrections may be of any length."""
    fitting = []
    for pair in pairs:
        try:
            for answer in (pair.chosen, pair.rejected):
                encode(tokenizer, pair.id, pair.prompt, answer, length)
            fitting.append(pair)
        except UserError:
            dropped["preference pair that is too long"] += 1
    return fitting


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: one short question at a time is embedded, and more threads would only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def stamp(assistant: Assistant, files: Sequence[Path] = ()) -> dict[str, str]:
    """Hashes of everything that the rows depend on, each under the name that a person would give the reason."""
    settings, profile, tier = assistant.settings, assistant.profile, assistant.tier
    documents = assistant.searcher.manifest.documents(profile.name)
    return {
        "the index": _hash(sorted((d["document"], d["version"]) for d in documents)),
        "the profile": _hash(_taught_by(profile, settings)),
        "the prompt": _hash([template_hash(settings.models / tier.base.id), tier.prompt_budget]),
        "the base": tier.base.id,
        "the questions": _hash(profile.questions.read_text(encoding="utf-8") if profile.questions.is_file() else ""),
        "the way rows are made": str(WAY),
        "the files": _hash([_digest(part) for file in files for part in parts_of(file)]),
        "the feedback": _hash(_feedback(settings, profile.name)),
    }


def fresh_data(settings: Settings, corpus: str, talk: Talk) -> Data:
    """The rows as they are, or made anew where there are none or what they depend on has changed."""
    assistant = open_assistant(corpus, settings)
    base_folder(assistant.tier, settings, talk.say)
    with assistant.searcher:
        try:
            data = read_data(settings, corpus)
        except UserError:
            data = None
        now = stamp(assistant, [Path(file) for file in data.files]) if data else {}
        changed = [reason for reason in now if data and data.stamp.get(reason) != now[reason]]
    if data and not changed:
        return data
    if data and data.mined:
        raise UserError(f"{' and '.join(changed).capitalize()} changed since mistakes of version {data.mined} were put among the pairs.",
                        f"Make the rows anew, with the options that they had: tune data {corpus} --mine {data.mine}")  # fmt: skip
    talk.say(f"Making training rows of {corpus}" + (f": {' and '.join(changed)} changed" if changed else "") + " …")
    if data is None:
        return make_data(settings, corpus, ROWS, 0, talk)[0]
    files = [Path(file) for file in data.files]
    return make_data(settings, corpus, data.rows_asked, data.seed, talk, files, data.topic, data.augment, data.rename)[0]


def read_data(settings: Settings, corpus: str) -> Data:
    file = data_folder(settings, corpus) / "data.json"
    try:
        return Data.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        raise UserError(f"There are no training rows of {corpus}.", f"Make them: tune data {corpus}") from None


def read_examples(settings: Settings, corpus: str) -> list[Example]:
    return _read(data_folder(settings, corpus) / "sft.jsonl", Example)


def read_pairs(settings: Settings, corpus: str) -> list[PreferencePair]:
    return _read(data_folder(settings, corpus) / "dpo.jsonl", PreferencePair)


def _read(file: Path, kind: type[Row]) -> list[Row]:
    rows = []
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), 1):  # U+2028 may stand in a JSON string
        if not line:
            continue
        try:
            rows.append(kind.model_validate_json(line))
        except ValidationError as error:
            wrong = error.errors()[0]
            raise UserError(f"{file}, line {number}: {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}.",
                            "Make the rows anew: tune data CORPUS") from None  # fmt: skip
    return rows


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """Each file by rename; data.json goes first and comes last, so that it never describes rows that are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.json").unlink(missing_ok=True)
    for name, data in files.items():
        part = folder / f"{name}.part"
        part.write_bytes(data)
        part.replace(folder / name)


def _jsonl(rows: Sequence[BaseModel]) -> bytes:
    return "".join(f"{row.model_dump_json()}\n" for row in rows).encode()


def _taught_by(profile: Profile, settings: Settings) -> dict[str, Any]:
    return {"serve": profile.serve.model_dump(exclude={"examples", "mode", "refuse_below"}), "held_out": profile.tune.held_out,
            "dense_weight": profile.ingest.dense_weight, "fitted": fitted(profile.name, settings).get("languages", {})}  # fmt: skip


def _feedback(settings: Settings, corpus: str) -> list[str]:
    if not (settings.root / "journal.sqlite3").is_file():
        return []
    journal = Journal(settings.root)
    try:
        return [f.model_dump_json() for f, _ in journal.feedback(corpus)]
    finally:
        journal.close()


def _hash(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _counts(names: Any) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda pair: (len(pair[0]) if pair[0].isdigit() else 0, pair[0])))
