"""Damaged and hostile files by the thousand through `ingest add`: each is reported, none brings it down, leaks or gets out.

Run: python -m tests.soak.hostile [--files 1000] [--seed 1] [--keep FOLDER]
The models are those in LECTERN_HOME. Ends with one line of JSON, and with exit code 1 where something broke.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from ingest.archives import is_archive
from ingest.manifest import Manifest
from ingest.readers import readable
from tests.soak.build import ESCAPED
from tests.soak.files import SECRET, damaged, healthy, hostile
from tests.soak.model import shallow_models

ROOT = Path(__file__).parents[2]
PROFILE = "title: Soak\ndescription: Hostile files.\nlanguages: [en, zh]\n"
EVERY = 0.2  # seconds between two looks at the memory
A_FILE = 30  # seconds a file, on average, until the run is given up
SLOW = 10  # seconds of one file that are worth a line
NUMBER = re.compile(r"/(\d{4})-")


def make_files(folder: Path, count: int, seed: int) -> dict[str, Path]:
    """Write `count` files, `0000-name`: the hostile ones first, then damaged and a tenth of sound ones. `{number: path}`."""
    rng = random.Random(seed)
    secret = folder.parent / "secret.txt"
    secret.write_text(SECRET)
    sound = healthy()
    made = list(hostile(rng, secret))
    if len(made) > count * 2 // 3:
        made = rng.sample(made, count * 2 // 3)
    while len(made) < count:
        name, data = rng.choice(sound) if len(made) % 10 == 0 else damaged(rng, sound)
        made.append((f"sound-{name}" if len(made) % 10 == 0 else name, data))
    paths = {}
    for n, (name, content) in enumerate(made):
        path = folder / f"{n:04}-{name}"
        content(path) if callable(content) else path.write_bytes(content)
        paths[f"{n:04}"] = path
    return paths


def watched(arguments: Sequence[str], home: Path, limit: float) -> tuple[int | None, str, str, float, list[int]]:
    """Run `python -m ARGUMENTS`: exit code (None: over the time limit), output, errors, seconds, and the bytes of each of its
    processes when they held most."""
    out, err = home.parent / f"{arguments[1]}.out", home.parent / f"{arguments[1]}.err"
    start, peak = time.monotonic(), [0]
    with out.open("wb") as o, err.open("wb") as e:
        child = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stdout=o, stderr=e, start_new_session=True,
                                 env=os.environ | {"LECTERN_HOME": str(home), "CHROMA_URL": ""})  # fmt: skip
        whole = psutil.Process(child.pid)
        try:
            while child.poll() is None and time.monotonic() - start < limit:
                peak = max(peak, _resident(whole), key=sum)
                time.sleep(EVERY)
        finally:
            code = child.poll()
            if code is None:
                for process in [*_children(whole), whole]:
                    process.kill()
                child.wait()
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in (out, err)]
    return code, texts[0], texts[1], time.monotonic() - start, peak


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _resident(whole: psutil.Process) -> list[int]:
    held = []
    for process in [whole, *_children(whole)]:
        try:
            held.append(process.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return held


def broken(
    paths: dict[str, Path], code: int | None, reports: list[dict[str, Any]], errors: str, home: Path
) -> list[str]:
    """What went wrong, one sentence each."""
    wrong = []
    if code not in (0, 1):
        wrong.append("it ran over its time" if code is None else f"it ended with {code}")
    if "Traceback" in errors:
        wrong.append(f"a traceback: {errors[errors.index('Traceback') :][-300:]}")
    told = {found[1] for r in reports if (found := NUMBER.search(r["path"]))}
    for number, path in paths.items():
        if number not in told and (readable(path) or is_archive(path)):
            wrong.append(f"no word of {path.name!a}")
    for r in reports:
        if r["status"] == "failed" and not r["reason"].strip():
            wrong.append(f"failed for no reason: {r['path']!a}")
        if "-sound-" in r["path"] and r["status"] == "failed":
            wrong.append(f"sound and refused: {r['path']!a}: {r['reason']}")
    manifest = Manifest(home)
    wrong += [
        f"the secret stands in {d['document']}"
        for d in manifest.documents("soak")
        if SECRET in manifest.text(d["version"])
    ]
    outside = [*home.parent.rglob(f"{ESCAPED}*"), *Path("/tmp").glob(f"{ESCAPED}*"), *ROOT.glob(f"{ESCAPED}*")]
    return wrong + [f"written outside: {path}" for path in outside]


def soak(folder: Path, count: int, seed: int) -> dict[str, Any]:
    home, files = folder / "home", folder / "files"
    files.mkdir(parents=True)
    (home / "corpora" / "soak").mkdir(parents=True)
    (home / "corpora" / "soak" / "profile.yaml").write_text(PROFILE)
    shallow_models(home / "models")
    paths = make_files(files, count, seed)
    code, out, errors, seconds, peak = watched(
        ["ingest", "add", "soak", str(files), "--json"], home, 300 + A_FILE * count
    )
    try:
        reports = json.loads(out)["files"]
    except (ValueError, KeyError, TypeError):
        reports = []
    wrong = broken(paths, code, reports, errors, home)
    checked, said, *_ = watched(["ingest", "verify", "soak"], home, 600)
    if checked:
        wrong.append(f"verify: {said.strip()[-300:]}")
    slow = sorted(((r["seconds"], Path(r["path"]).name) for r in reports), reverse=True)
    return {
        "soak": "hostile", "files": count, "seed": seed, "exit": code, "seconds": round(seconds, 1),
        "peak_mib": sum(peak) // 2**20, "of_each_process": [bytes_ // 2**20 for bytes_ in peak],
        "statuses": Counter(r["status"] for r in reports),
        "crashed": [ascii(Path(r["path"]).name) for r in reports if "reader crashed" in r["reason"] or "was stopped" in r["reason"]],
        "reasons": Counter(re.sub(r"\d+|'[^']*'|\(.*\)", "…", r["reason"])[:80] for r in reports if r["reason"]).most_common(12),
        "slow": [(s, ascii(name)) for s, name in slow if s > SLOW][:12], "errors": errors[-400:], "broken": wrong,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same files (1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work in this new folder and leave it")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with us
    with TemporaryDirectory(prefix="soak-") as name:
        result = soak(args.keep or Path(name, "soak"), args.files, args.seed)
    print(json.dumps(result, ensure_ascii=False), flush=True)
    return 1 if result["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
