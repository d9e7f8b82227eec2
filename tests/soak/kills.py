"""`ingest add` killed again and again while files change; at last it runs to its end and must equal an index made at once.

Run: python -m tests.soak.kills [--kills 100] [--seed N]
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ingest.index import Index
from ingest.keywords import Keywords
from ingest.manifest import Manifest
from ingest.settings import Settings
from ingest.vectors import Vectors, open_chroma
from tests.bench.home import make_home

CORPUS = "soak"
PROFILE = "title: Soak\ndescription: Files that change.\nlanguages: [en, zh]\n"
FILES = 24
ALIKE = 0.9999  # cosine; in half precision company alone makes .99997, another state of the same file at most .989
EARLY = 0.25  # of the kills come at any moment, of the loading too


def change(folder: Path, dice: random.Random) -> None:
    """Some files get another text, one goes, one is renamed, one becomes a copy of another."""
    for _ in range(dice.randint(1, 6)):
        n = dice.randrange(FILES)
        lines = [f"Valve V{dice.randrange(999)} of unit {n} opens at {dice.randint(1, 90)} bar.\n\n" for _ in range(dice.randint(1, 60))]
        (folder / f"unit-{n}.md").write_text(f"# Unit {n}\n\n" + "".join(lines))
    there = sorted(folder.iterdir())
    if len(there) > 5:
        dice.choice(there).unlink()
        there = sorted(folder.iterdir())
        dice.choice(there).rename(folder / f"unit-{dice.randrange(FILES)}.md")
        there = sorted(folder.iterdir())
        (folder / f"unit-{dice.randrange(FILES)}.md").write_bytes(dice.choice(there).read_bytes())


def state(settings: Settings) -> tuple[dict[str, object], np.ndarray]:
    """Everything that an index holds, in an order that does not depend on how it came to be; and its vectors, in the order of their ids."""
    manifest = Manifest(settings.root)
    corpus_id = manifest.corpus_id(CORPUS)
    assert corpus_id
    documents = {d["document"]: d["version"] for d in manifest.documents(CORPUS)}
    versions = sorted(set(documents.values()))
    with open_chroma(settings) as client:
        vectors = Vectors(client, corpus_id)
        ids = sorted(vectors.ids())
        rows = vectors.get(ids)
    found = {
        "documents": documents,
        "chunks": {v: [(c.start, c.end, c.page, c.context, c.text) for c in manifest.chunks(v)] for v in versions},
        "vectors": ids,
        "keywords": Keywords(settings.root / "keywords" / corpus_id).ids(),
        "originals": sorted(f.name for f in (settings.root / "files").iterdir()),
        "dead": manifest.dead_versions(CORPUS),
    }  # fmt: skip
    return found, rows


def whole(command: list[str], environment: dict[str, str]) -> None:
    """Run it to its end. Raises `SystemExit` with what it said of the files that failed."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        failed = [f for f in json.loads(done.stdout or '{"files": []}')["files"] if f["status"] == "failed"]
        raise SystemExit(f"ended with {done.returncode}: {failed[:3]} {done.stderr[-2000:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill `ingest add` at random moments; the index must come out whole.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    dice = random.Random(args.seed)
    with TemporaryDirectory() as name:
        home, files = Path(name, "home"), Path(name, "files")
        files.mkdir()
        settings = make_home(home, CORPUS, PROFILE)
        command = [sys.executable, "-m", "ingest", "add", CORPUS, str(files), "--prune", "--json"]
        environment = os.environ | {"LECTERN_HOME": str(home), "CHROMA_URL": ""}
        change(files, dice)
        start = time.monotonic()
        whole(command, environment)
        reach = time.monotonic() - start  # follows how long a run takes just now: most die near its end, where it writes
        killed = ended = 0
        while killed < args.kills:
            change(files, dice)
            moment = reach * (dice.uniform(0.1, 1) if dice.random() < EARLY else dice.uniform(0.8, 1.15))
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                _, said = process.communicate(timeout=moment)
                ended += 1
                reach *= 0.9
                if process.returncode not in (0, 1) or b"Traceback" in said:
                    print(f"kill {killed}: ended with {process.returncode}: {said.decode()[-2000:]}")
                    return 1
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                killed += 1
                reach *= 1.02
                if killed % 10 == 0:
                    print(f"{killed} kills, {ended} runs to the end", file=sys.stderr, flush=True)
        whole(command, environment)
        wrong = Index(CORPUS, settings).verify()
        clean = make_home(Path(name, "clean"), CORPUS, PROFILE)
        Index(CORPUS, clean).add([files])
        (ours, our_rows), (fresh, rows) = state(settings), state(clean)
        differ = [part for part in fresh if ours[part] != fresh[part]]
        if "vectors" not in differ and (our_rows * rows).sum(axis=1).min() < ALIKE:
            differ.append("embeddings")
        chunks = sum(map(len, fresh["chunks"].values()))  # type: ignore[attr-defined]
        print(json.dumps({"soak": "kills", "kills": killed, "runs to the end": ended, "documents": len(fresh["documents"]),  # type: ignore[arg-type]
                          "chunks": chunks, "verify": wrong, "differs from a clean index in": differ}))  # fmt: skip
        return 1 if wrong or differ else 0


if __name__ == "__main__":
    sys.exit(main())
