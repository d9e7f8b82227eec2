"""Cards: what a set of rows, or an adapter, was made from, for a person to read."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tune.schema import Adapter

if TYPE_CHECKING:
    from tune.data import Data


def data_card(data: "Data", base: str) -> str:
    more = "".join(f" --{name} {n}" for name in ("augment", "rename", "mine") if (n := getattr(data, name)))
    lines = [
        f"# Training rows of {data.corpus}",
        "",
        f"{data.rows} examples, {data.refusals} of them refusals, and {sum(data.pairs.values())} preference pairs, made from the index by",
        f"`tune data {data.corpus} --rows {data.rows_asked} --seed {data.seed}{more}` for {base}.",
        "",
        f"Held out, in no row: {', '.join(data.held_out) or 'nothing'}.",
        "",
        *_sources(data),
        *_table("Rows of files by format", data.formats),
        *_table("Files that gave no row", data.left_out),
        *_table("Examples by kind of question", data.kinds),
        *_table("Augmented: other examples in other words or under other names, by how", data.augmented),
        *_table("Examples by document", data.documents),
        *_table("Preference pairs by source", data.pairs),
        *_table("Dropped, by reason", data.dropped),
        *_table("Examples by tokens, from", data.histogram),
        f"SHA-256 of sft.jsonl {data.sft_hash}  ",
        f"SHA-256 of dpo.jsonl {data.dpo_hash}",
    ]
    return "\n".join(lines) + "\n"


def _sources(data: "Data") -> list[str]:
    if not data.files:
        return []
    topic = f", those about {data.topic}" if data.topic else ""
    return [f"With rows of {', '.join(Path(file).name for file in data.files)}{topic}.", ""]


def adapter_card(adapter: Adapter) -> str:
    taught = "preferred and rejected answers" if adapter.kind == "dpo" else "cited answers and refusals"
    parent = f", going on from version {adapter.parent}" if adapter.parent else ""
    settings = "\n".join(f"| {name} | {value} |" for name, value in adapter.settings.items())
    return f"""# {adapter.corpus}, adapter version {adapter.version}

A LoRA adapter for {adapter.base}, trained on {adapter.rows} rows of {taught} from the documents of {adapter.corpus}{parent}.
Last loss {adapter.loss:.4f}. Made {adapter.created} by `tune {adapter.kind} {adapter.corpus}`.

It answers under the prompt that Lectern serves with, and on that base alone: manifest.json holds the hashes of both.

| setting | value |
| --- | --- |
{settings}
"""


def _table(title: str, counts: Mapping[str, int | str]) -> list[str]:
    if not counts:
        return []
    return [f"| {title} | |", "| --- | --- |", *(f"| {name.replace('|', '/')} | {count} |" for name, count in counts.items()), ""]
