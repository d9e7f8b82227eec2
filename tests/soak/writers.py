"""Two processes add to one corpus while a third searches it: nothing may be lost, and no hit may be of a text that is not live.

Run: python -m tests.soak.writers [--rounds 6] [--home DATA of a Lectern that is up]
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from corpora import UserError
from ingest.index import Index
from ingest.search import Searcher
from ingest.settings import Settings
from tests.bench.home import make_home, server
from tests.conftest import free_ports
from tests.soak.kills import CORPUS, PROFILE

FILES = 40


def write(folder: Path, turn: int, dice: random.Random) -> dict[str, str]:
    """Every file anew in a third of the cases; each says in which turn. Returns what each file's first line says now."""
    said = {}
    for n in range(FILES):
        file = folder / f"unit-{n}.md"
        if turn == 0 or dice.random() < 0.33:
            lines = [f"Valve V{n} of unit {n} opens at {turn}.{line} bar.\n\n" for line in range(dice.randint(1, 12))]
            file.write_text(f"# Unit {n}\n\n" + "".join(lines))
        said[file.name] = file.read_text()
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description="Two that add, one that searches.")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--home", type=Path, help="of a Lectern that is up; without it a Chroma server is started")
    args = parser.parse_args()
    dice = random.Random(1)
    with TemporaryDirectory() as name:
        folders = [Path(name, "a"), Path(name, "b")]
        for folder in folders:
            folder.mkdir()
        if args.home:
            settings = Settings(home=args.home)
            profile = settings.root / "corpora" / CORPUS / "profile.yaml"
            profile.parent.mkdir(parents=True, exist_ok=True)
            profile.write_text(PROFILE)
        else:
            (port,) = free_ports(1)
            settings = make_home(Path(name, "home"), CORPUS, PROFILE).model_copy(update={"chroma_port": port})
            settings.run.mkdir(parents=True, exist_ok=True)
        wrong: list[str] = []
        searches = 0
        environment = os.environ | {"LECTERN_HOME": str(settings.root), "CHROMA_URL": ""}
        with nullcontext() if args.home else server(settings), Searcher(settings) as searcher:
            before = [dict[str, str](), dict[str, str]()]
            for turn in range(args.rounds):
                now = [write(folder, turn, dice) for folder in folders]
                # each adds its own folder and then the other's, so that they meet in the middle
                commands = [[sys.executable, "-m", "ingest", "add", CORPUS, *map(str, order)] for order in (folders, folders[::-1])]
                running = [subprocess.Popen(c, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for c in commands]
                while any(p.poll() is None for p in running):
                    n = dice.randrange(FILES)
                    try:
                        hits = searcher.search(CORPUS, f"At what pressure does valve V{n} of unit {n} open?", 3)
                    except UserError:  # before the first file is live
                        time.sleep(0.05)
                        continue
                    searches += 1
                    if turn and not hits:
                        wrong.append(f"turn {turn}: nothing found for V{n}")
                    for hit in hits:
                        folder, file = hit.document.split("/")
                        texts = [state.get(file, "") for state in (before["ab".index(folder)], now["ab".index(folder)])]
                        if not any(hit.chunk.text.strip() in text for text in texts):
                            wrong.append(f"turn {turn}: {hit.document} never said {hit.chunk.text[:60]!r}")
                for p in running:
                    if p.returncode:
                        wrong.append(f"turn {turn}: an add ended with {p.returncode}: {p.communicate()[1].decode()[-300:]}")
                before = now
            index = Index(CORPUS, settings)
            wrong += index.verify()
            stored = {d["document"]: index.manifest.text(d["version"]) for d in index.documents()}
            for folder, said in zip("ab", before, strict=True):
                for file, text in said.items():
                    if stored.get(f"{folder}/{file}", "").split() != text.removeprefix("# ").split():
                        wrong.append(f"{folder}/{file} is not indexed as it is")
        print(json.dumps({"soak": "writers", "rounds": args.rounds, "documents": len(stored), "searches": searches, "wrong": wrong[:20]}))
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
