"""Does an answer follow its document? 20 values are changed in copies of the shipped documents, which are then added again.

Run: python -m tests.bench.stale
Each is asked about before and after: quoted; in a conversation in which the old value was the answer; and with a model that goes on saying
the old value.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from ingest.search import Searcher
from serve.chain import open_assistant
from tests.bench import report
from tests.bench.home import make_bilingual_home
from tests.echo import echo
from tests.staleness import CORPUS, change, make_corpus, rows, says, with_history


def main() -> None:
    changing = rows()
    with TemporaryDirectory() as name:
        settings = make_bilingual_home(Path(name, "home"))
        folder = make_corpus(settings, changing)
        with Searcher(settings) as searcher:
            assistant = open_assistant(CORPUS, settings, searcher)
            before = {row["id"]: assistant.ask(row["question"], mode="extractive") for row in changing}
        change(settings, folder, changing)
        with Searcher(settings) as searcher:
            assistant = open_assistant(CORPUS, settings, searcher)
            after = {row["id"]: assistant.ask(row["question"], mode="extractive") for row in changing}
            talk = {row["id"]: with_history(assistant, row) for row in changing}
            stubborn = {}
            for row in changing:
                with echo(row["stubborn"]) as (url, _):
                    (settings.run / "vllm.url").write_text(url)
                    stubborn[row["id"]] = open_assistant(CORPUS, settings, searcher).ask(row["question"])
        report("stale", {
            "values": len(changing),
            "old value in the answer before the change": sum(says(before[r["id"]], r["was"]) for r in changing),
            "new value in the answer (at least 19)": sum(says(after[r["id"]], r["now"]) for r in changing),
            "old value in an answer (0)": sum(says(after[r["id"]], r["was"]) for r in changing),
            "new value after a conversation about the old one": sum(says(talk[r["id"]], r["now"]) for r in changing),
            "old value after it (0)": sum(says(talk[r["id"]], r["was"]) for r in changing),
            "new value, with a model that says the old one": sum(says(stubborn[r["id"]], r["now"]) for r in changing),
            "old value, with it (0)": sum(says(stubborn[r["id"]], r["was"]) for r in changing),
            "which": {r["id"]: [t[r["id"]].answer.answer[:160] for t in (after, talk, stubborn)] for r in changing
                      if not all(says(t[r["id"]], r["now"]) and not says(t[r["id"]], r["was"]) for t in (after, talk, stubborn))},
        })  # fmt: skip


if __name__ == "__main__":
    main()
