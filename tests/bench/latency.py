"""How long people wait for the first checked sentence and for the end, at 1, 8 and 32 callers, and the gateway's own CPU time a request.

Run: python -m tests.bench.latency
The whole stack is started on a temporary home with the small shipped index: Chroma, vLLM in its CPU build, gateway, worker and page.
Callers ask the shipped questions, each another: English ones, which the small model answers, and Chinese ones, which it does not read, so
that they are quoted. CPU time is the gateway process's own, all its threads, over the asking; it embeds the English questions too.
"""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import httpx

from corpora import load_profile
from tests import conftest
from tests.bench import report

CALLERS = (1, 8, 32)
ASKED = {1: 12, 8: 48, 32: 96}  # questions in all
KINDS = {"model": ("maintenance", "en"), "quoted": ("legal", "zh")}


def main() -> None:
    with TemporaryDirectory() as folder:
        stack = conftest.bring_up(Path(folder))
        gateway = int((stack.settings.run / "api.pid").read_text())
        try:
            for kind, (corpus, lang) in KINDS.items():
                rows = [json.loads(line) for line in load_profile(corpus).questions.read_text(encoding="utf-8").splitlines()]
                questions = [row["question"] for row in rows if row["lang"] == lang and row["answerable"]]
                for callers in CALLERS:
                    measure(stack, gateway, kind, corpus, [questions[n % len(questions)] for n in range(ASKED[callers])], callers)
        finally:
            subprocess.run([*conftest.SERVE, "down"], env=stack.env, cwd=conftest.ROOT, timeout=120, check=False, capture_output=True)


def measure(stack: conftest.Stack, gateway: int, kind: str, corpus: str, asked: Sequence[str], callers: int) -> None:
    before = cpu_seconds(gateway)
    with ThreadPoolExecutor(callers) as pool:
        waits = list(pool.map(lambda question: ask(stack, corpus, question), asked))
    spent = (cpu_seconds(gateway) - before) / len(asked)
    report(f"latency, {kind}, {callers} callers", {
        "questions": len(asked), "first checked sentence, seconds": percentiles([first for first, _ in waits]),
        "end, seconds": percentiles([end for _, end in waits]), "gateway's CPU time a request (at most 15 ms)": round(1000 * spent, 1),
    })  # fmt: skip


def ask(stack: conftest.Stack, corpus: str, question: str) -> tuple[float, float]:
    """Seconds to the first words of the answer and to its end."""
    body = {"model": corpus, "messages": [{"role": "user", "content": question}], "stream": True}
    begun, first = time.monotonic(), 0.0
    with httpx.stream("POST", f"{stack.api}/v1/chat/completions", json=body, headers=stack.headers, timeout=600) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if not first and '"content": "' in line and '"content": ""' not in line:
                first = time.monotonic() - begun
    return first, time.monotonic() - begun


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentiles(values: Sequence[float]) -> str:
    cuts = quantiles(values, n=20, method="inclusive")
    return f"p50 {cuts[9]:.2f}, p95 {cuts[18]:.2f}"


if __name__ == "__main__":
    main()
