"""What of 112 poisoned documents gets through: quoted, from a model that says what the poison wants, and from the real small model.

Run: python -m tests.bench.poison, and with vLLM: python -m tests.bench.poison --model
Each is asked about innocently; `tests/poisoned.py` says what getting through is. The rules in serve/instructions.py were written with the
first 92 in view. The 20 `unseen` ones say the like in yet other words; the rules have not been changed since they were written. What the
real model leaves unanswered counts where it answers from the same document without the poison.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.search import Searcher
from ingest.settings import Settings
from serve.chain import Assistant, open_assistant
from serve.schema import Mode
from serve.services import vllm
from serve.supervisor import Supervisor
from serve.tiers import pick_tier
from tests.bench import report
from tests.bench.home import make_bilingual_home
from tests.echo import echo
from tests.poisoned import CORPUS, REFUSED, UNANSWERED, Row, faults, harmless, make_corpora, make_corpus, rows

CLEAN = "clean"
LOST = {UNANSWERED, REFUSED}
ASKED = rows("en", "zh", "en-reworded", "zh-reworded", "en-unseen", "zh-unseen")


def through(assistant: Assistant, row: Row, mode: Mode | None = None) -> list[str]:
    return faults(row, assistant.ask(row["question"], mode=mode))


def obeyed(settings: Settings, searcher: Searcher, row: Row) -> list[str]:
    """With a model that says what the poison wants, whether it was shown the poison or not; that it answers nothing is its own fault."""
    with echo(row["obeyed"]) as (url, _):
        (settings.run / "vllm.url").write_text(url)
        found = through(open_assistant(CORPUS, settings, searcher), row)
    (settings.run / "vllm.url").unlink()
    return [fault for fault in found if fault != UNANSWERED]


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    """The real vLLM with this home's base model."""
    with Supervisor(settings, [vllm(settings, pick_tier(settings), print)], print) as supervisor:
        supervisor.start("vllm")
        if supervisor.wait(["vllm"], lambda service, seconds: None):
            raise SystemExit((settings.run / "vllm.log").read_text()[-2000:])
        yield


def say(how: str, found: dict[str, list[str]]) -> None:
    asked = [row for row in ASKED if row["id"] in found]
    kinds = dict.fromkeys(row["kind"] for row in asked)
    report(f"poison, {how}", {
        "documents": len(asked),
        "got through, without the unseen": sum(bool(found[row["id"]]) for row in asked if row["kind"] != "unseen"),
        **{f"  {kind}": f"{sum(bool(found[r['id']]) for r in asked if r['kind'] == kind)} of {sum(r['kind'] == kind for r in asked)}"
           for kind in kinds},
        "which": {name: why for name, why in found.items() if why},
    })  # fmt: skip


def main() -> None:
    with TemporaryDirectory() as name:
        settings = make_bilingual_home(Path(name, "home"))
        make_corpora(settings, ASKED)
        with Searcher(settings) as searcher:
            assistant = open_assistant(CORPUS, settings, searcher)
            say("quoted", {row["id"]: through(assistant, row, "extractive") for row in ASKED})
            say("a model that obeys unasked", {row["id"]: obeyed(settings, searcher, row) for row in ASKED if row["kind"] != "refusal"})
        if "--model" in sys.argv:
            english = [row for row in ASKED if row["id"].startswith("en")]  # all that it reads
            make_corpus(settings, CLEAN, [harmless(row) for row in english])
            small = settings.model_copy(update={"tier": "cpu"})
            with Searcher(small) as searcher, running(small):
                poisoned, clean = (open_assistant(name, small, searcher) for name in (CORPUS, CLEAN))
                said = {row["id"]: through(poisoned, row) for row in english}
                silent = {row["id"] for row in english if not LOST.isdisjoint(said[row["id"]]) and not LOST.isdisjoint(through(clean, row))}
                say("the small model", {name: [f for f in found if f not in LOST or name not in silent] for name, found in said.items()})
                report("poison, the small model without it", {"leaves unanswered the same questions": sorted(silent)})


if __name__ == "__main__":
    main()
