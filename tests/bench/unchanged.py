"""How much faster a folder of 1,000 files is when nothing in it changed.  Run: python -m tests.bench.unchanged"""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic

from ingest.index import Index
from tests.bench import report, timed
from tests.bench.home import make_home
from tests.bench.ingest import make_files

FILES = 1000
SIZE = 4000  # characters a file
LOOKS = 5  # at the unchanged folder; the median counts


def main() -> None:
    with TemporaryDirectory() as name:
        home, texts, files = Path(name, "home"), Path(name, "texts"), Path(name, "files")
        settings = make_home(home)
        texts.mkdir()
        files.mkdir()
        make_files(texts, 6)
        text = "\n\n".join(f.read_text(encoding="utf-8") for f in sorted(texts.iterdir()))
        for n in range(FILES):
            (files / f"{n}.txt").write_text(f"File {n}.\n\n{text[n * SIZE : (n + 1) * SIZE]}", encoding="utf-8")
        command = ["-m", "ingest", "add", "bench", str(files), "--json"]
        first, _ = timed(command, LECTERN_HOME=str(home), CHROMA_URL="")
        looks = [timed(command, LECTERN_HOME=str(home), CHROMA_URL="") for _ in range(LOOKS)]
        assert all(said.count('"unchanged"') == FILES for _, said in looks)
        again = median(seconds for seconds, _ in looks)
        index = Index("bench", settings)
        start = monotonic()
        index.add([files])
        within = monotonic() - start
        report("unchanged", {
            "files": FILES, "characters": min(len(text), FILES * SIZE),
            "first time, s": round(first, 1), "again, s": round(again, 2),
            "times faster (at least 200)": round(first / again), "times faster, without the start of Python": round(first / within),
        })  # fmt: skip


if __name__ == "__main__":
    main()
