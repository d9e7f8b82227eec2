"""What the README's figures are made with: ratios within one run, on the machine named.  Run: make bench"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPORTED: list[tuple[str, str, Any]] = []  # bench, figure and value, in their order
ROOT = Path(__file__).parents[2]


def machine() -> str:
    """The processor and how many of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
    return f"{os.cpu_count()} × {name}"


def report(title: str, figures: Mapping[str, Any]) -> None:
    """One figure a line for people, and all of them as one line of JSON for machines."""
    print(f"{title} ({machine()})")
    for name, value in figures.items():
        REPORTED.append((title, name, value))
        print(f"  {name:58} {value}")
    print(json.dumps({"bench": title, "machine": machine(), **figures}, ensure_ascii=False), flush=True)


def timed(arguments: Sequence[str], **environment: str) -> tuple[float, str]:
    """Seconds that a Python process takes from start to end, and what it printed. Raises `RuntimeError` with its last words."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{arguments[:3]} ended with {done.returncode}: {done.stderr[-500:]}")
    return time.monotonic() - start, done.stdout
