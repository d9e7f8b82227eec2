"""Does the ingesting process grow with what it ingests? Its peak memory on 50 MB and on 200 MB of text, with a Chroma server beside it.

Run: python -m tests.bench.memory
Made text is read, cut, stored and indexed as always; only the vectors are made without the model, whose memory does not depend on how much
text there is and which would take hours.
"""

import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import report, timed
from tests.bench.home import make_home, server
from tests.conftest import free_ports

FILE = 250_000  # characters
SIZES = (50, 200)  # MB
WORDS = [a + b for a in "ba co du fe gi ho ka le mi nu po ra se ti vo".split() for b in "ster line valve gear motor pump seal bolt".split()]
ADD = """
import json, resource, sys
from pathlib import Path
import numpy as np
from ingest.embed import Embedder, open_embedder
from ingest.index import Index
from ingest.settings import Settings

def encode(self, texts):
    dice = np.random.default_rng(len(texts))
    rows = dice.standard_normal((len(texts), self.dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)

Embedder.encode = encode
reports = Index("bench", Settings()).add([Path(sys.argv[1])])
assert all(r.status == "added" for r in reports), reports[0]
print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, sum(r.chunks for r in reports)]))
"""


def make_text(dice: random.Random) -> str:
    lines = []
    length = 0
    while length < FILE:
        line = " ".join(dice.choices(WORDS, k=90)) + f" {dice.randrange(10**6)}.\n\n"
        lines.append(line)
        length += len(line)
    return "".join(lines)


def peak(folder: Path, size: int) -> tuple[float, int, float]:
    """MB of memory at most, chunks, seconds, for `size` MB of text."""
    files, dice = folder / "files", random.Random(size)
    files.mkdir(parents=True)
    for n in range(size * 1_000_000 // FILE):
        (files / f"{n}.txt").write_text(make_text(dice))
    (port,) = free_ports(1)
    settings = make_home(folder / "home").model_copy(update={"chroma_port": port})
    settings.run.mkdir(parents=True, exist_ok=True)
    with server(settings):
        seconds, said = timed(["-c", ADD, str(files)], LECTERN_HOME=str(settings.root), CHROMA_URL="")
    megabytes, chunks = json.loads(said)
    return megabytes, chunks, seconds


def main() -> None:
    figures = {}
    for size in SIZES:
        with TemporaryDirectory() as name:
            figures[size] = peak(Path(name), size)
    (small, _, _), (large, _, _) = (figures[size] for size in SIZES)
    report("memory", {
        **{f"peak of the ingesting process on {size} MB of text, MB": round(figures[size][0]) for size in SIZES},
        **{f"chunks of {size} MB, seconds": f"{figures[size][1]}, {figures[size][2]:.0f}" for size in SIZES},
        "growth (at most .10)": round(large / small - 1, 3),
    })  # fmt: skip


if __name__ == "__main__":
    main()
