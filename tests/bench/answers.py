"""The shipped assistants on their held-out questions: the small model with passages, and quoting; then twenty answers, good and bad.

Run: python -m tests.bench.answers
The whole stack is started on a temporary home with the shipped documents indexed, and each assistant is measured by `tune eval`. What is
counted as a citation of the model is what it named; what is shown is what the citation check left. One seed draws the twenty.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from corpora import profile_names
from tests import conftest
from tests.bench import report
from tests.bench.samples import draw
from tune.result import read_result

SYSTEMS = ("base+rag", "extractive")
SEED = 0


def main() -> None:
    with TemporaryDirectory() as folder:
        stack = conftest.bring_up(Path(folder), whole=True)
        try:
            for corpus in profile_names():
                done = subprocess.run([sys.executable, "-m", "tune", "eval", corpus], env=stack.env, cwd=conftest.ROOT, text=True,
                                      capture_output=True, check=False)  # fmt: skip
                if done.returncode:
                    raise RuntimeError(f"tune eval {corpus}: {done.stdout}{done.stderr}")
            files = sorted((Path(folder) / "runs" / "eval").glob("*.json"))
            results = [read_result(file) for file in files]
        finally:
            subprocess.run([*conftest.SERVE, "down"], env=stack.env, cwd=conftest.ROOT, timeout=120, check=False, capture_output=True)
    for result in results:
        for system in SYSTEMS:
            if isinstance(figures := result["systems"][system], dict):
                report(f"answers, {result['corpus']}, {system}", shown(figures))
    draw(results, SEED)


def shown(figures: dict[str, Any]) -> dict[str, Any]:
    """Each figure with its 95 % interval; those of citations for what the model named and for what is shown."""
    flat = {f"{name}, {by}" if by else name: (by_value, figures["interval"].get(f"{name}.{by}" if by else name))
            for name, value in figures.items() if name != "interval"
            for by, by_value in (value.items() if isinstance(value, dict) else [("", value)])}  # fmt: skip
    return {name: f"{value:.3f} [{within[0]:.3f}, {within[1]:.3f}]" if within else value for name, (value, within) in flat.items()}


if __name__ == "__main__":
    main()
