"""Answers side by side, out of result files: a sample by a fixed seed, and the questions that one system gets right and another wrong.

Run: tune eval maintenance --adapter 2 --ab 1 --side-by-side 10
"""

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from serve.gate import BASE, CANDIDATE, OTHER, QUOTING
from tune.chance import chance

WITH_PASSAGES = (BASE, OTHER, CANDIDATE, QUOTING)
UNANSWERED = "(the documents do not say)"
WIDTH = 100
SEED = 0
Row = Mapping[str, Any]  # a question of a result file, with each system's answer


def side_by_side(results: Sequence[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
    """`count` questions that all the results have, drawn by a fixed seed, each with every system's answer: {question, gold, answers}.

    A system that several of the results measured is shown as the last of them has it; adapters are told apart by their version.
    """
    asked = [{row["id"]: row for row in result["questions"]} for result in results]
    common = sorted(id_ for id_ in asked[-1] if all(id_ in rows for rows in asked))
    drawn = chance(SEED, "side by side").sample(common, min(count, len(common)))
    shown = []
    for id_ in drawn:
        answers = {label(result, system): _said(rows[id_], system) for system in WITH_PASSAGES
                   for result, rows in zip(results, asked, strict=True) if _has(rows[id_], system)}  # fmt: skip
        shown.append(_question(asked[-1][id_], answers))
    return shown


def changed(then: Sequence[Row], old: str, now: Sequence[Row], new: str) -> dict[str, list[str]]:
    """Ids of the questions that `old` got wrong `then` and `new` gets right `now`, as `better`, and of those the other way, as `worse`.

    Right is a correct answer, or a refusal where the documents do not say.
    """
    before = {row["id"]: is_right(row, old) for row in then if _has(row, old)}
    both = [(row["id"], is_right(row, new)) for row in now if _has(row, new) and row["id"] in before]
    return {"better": [id_ for id_, right in both if right and not before[id_]],
            "worse": [id_ for id_, right in both if before[id_] and not right]}  # fmt: skip


def changed_since(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """For each system that both results measured, what `changed`."""
    found = {system: changed(then["questions"], system, now["questions"], system) for system in WITH_PASSAGES}
    return {system: ids for system, ids in found.items() if any(ids.values())}


def is_right(row: Row, system: str) -> bool:
    said = row["answers"][system]
    return bool(said["correct"] if row["answerable"] else said["refused"])


def changes(now: Mapping[str, Any], then: Mapping[str, Any] | None = None) -> str:
    """The questions that changed, each with both answers; empty where none did.

    The adapter's are held against the other version's, else the base's; and those of each system against its own in an earlier result.
    """
    pairs = [(then, system, now, system) for system in WITH_PASSAGES] if then else []
    return "\n".join(filter(None, (_changes(*pair) for pair in [(now, OTHER if now.get("other") else BASE, now, CANDIDATE), *pairs])))


def _changes(then: Mapping[str, Any], old: str, now: Mapping[str, Any], new: str) -> str:
    before, after = ({row["id"]: row for row in result["questions"]} for result in (then, now))
    names = label(then, old), label(now, new)
    if names[0] == names[1]:
        names = f"{names[0]}, then", f"{names[1]}, now"
    parts = []
    for which, ids in changed(then["questions"], old, now["questions"], new).items():
        rows = [_question(after[i], {names[0]: _said(before[i], old), names[1]: _said(after[i], new)}) for i in ids]
        if rows:
            parts.append(f"{len(rows)} {which}: {names[1]} against {names[0]}\n\n{written(rows)}")
    return "\n".join(parts)


def written(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows to be read by people, at most WIDTH columns wide: the question, the gold answer, and each system's below.

    An answer that was quoted is the documents' words, also where a model was asked: its own did not stand.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = StringIO()
    console = Console(file=out, width=WIDTH, color_system=None, highlight=False, emoji=False)
    for n, row in enumerate(rows, 1):
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, min_width=len("wrong, refused"))
        table.add_column()
        table.add_row("", "gold", Text(row["gold"]))
        for name, said in row["answers"].items():
            how = ", refused" if said["refused"] else ", quoted" if said["mode"] == "extractive" else ""
            table.add_row(Text(name), f"{'right' if said['right'] else 'wrong'}{how}", Text(" ".join(said["answer"].split())))
        console.print(Text(f"{n}. {row['question']} ({row['id']})"))
        console.print(table)
        console.print()
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def label(result: Mapping[str, Any], system: str) -> str:
    """The system's name; an adapter's with its version and how that was trained."""
    version = result.get({CANDIDATE: "adapter", OTHER: "other"}.get(system, ""))
    if version is None:
        return system
    kind = result.get("kinds", {}).get(str(version))
    return f"version {version}{f', {kind}' if kind else ''}"


def _has(row: Row, system: str) -> bool:
    return system in row.get("answers", {})  # results of public sets have none


def _question(row: Row, answers: Mapping[str, Any]) -> dict[str, Any]:
    gold = row["answer"] if row["answerable"] else UNANSWERED
    return {"id": row["id"], "question": row["question"], "gold": gold, "answers": answers}


def _said(row: Row, system: str) -> dict[str, Any]:
    said = row["answers"][system]
    return {"answer": said["answer"], "refused": said["refused"], "mode": said["mode"], "right": is_right(row, system)}
