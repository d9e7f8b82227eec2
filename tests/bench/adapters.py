"""What adapters cost while they are served: vLLM's tokens a second through one and through four at once, beside the base's own.

Run: python -m tests.bench.adapters
vLLM is started once without adapters, which is also what a merged one costs, and once for each set of layers that an adapter may learn,
otherwise as `serve up` starts it. The adapters are random: what they say does not matter, and every answer has the same length.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from ingest.settings import Settings
from serve.engine import LAYERS, LOADED_AT_ONCE, Engine, command
from serve.tiers import pick_tier
from tests import conftest
from tests.bench import report
from tests.bench.home import PROFILE, make_home

CALLERS = (1, 16)
TOKENS = 96  # of an answer
TIMES = 3  # each figure is the median of as many
MODULES = ("mlp", "attention", "all")


def main() -> None:
    with TemporaryDirectory() as name:
        plain = dict(measured(Path(name) / "plain", ""))
        for modules in MODULES:
            rows = dict(measured(Path(name) / modules, modules))
            layers = " and ".join(LAYERS.get(modules, ("all",)))
            report(f"adapters of {layers}", {
                f"{callers} caller{'s' * (callers > 1)}: tokens/s with one; with {LOADED_AT_ONCE} at once; beside a vLLM without adapters":
                f"{one:.0f}; {many:.0f}; {base:.0f} ({one / base:.2f}, {many / base:.2f})"
                for callers in CALLERS for one, many, base in [(*rows[callers], plain[callers][0])]
            })  # fmt: skip


def measured(folder: Path, modules: str) -> Iterator[tuple[int, tuple[float, ...]]]:
    """Tokens a second for each number of callers: of the base where there are no `modules`, else of one adapter and of several."""
    (port,) = conftest.free_ports(1)
    settings = make_home(folder, profile=PROFILE + (f"tune:\n  modules: {modules}\n" if modules else ""))
    settings = settings.model_copy(update={"vllm_port": port, "tier": "cpu"})
    adapters = {f"bench-v{n}": random_adapter(settings, folder / f"a{n}", modules) for n in range(LOADED_AT_ONCE)} if modules else {}
    with vllm(settings, modules, adapters) as engine:
        names = list(adapters) or engine.models()[:1]
        for model in names:
            ask(engine.url, model, 0)
        for callers in CALLERS:
            asked = (names[:1], names) if modules else (names,)
            yield callers, tuple(median(pace(engine.url, models, callers) for _ in range(TIMES)) for models in asked)


@contextmanager
def vllm(settings: Settings, modules: str, adapters: dict[str, Path]) -> Iterator[Engine]:
    """With these layers alone able to carry adapters; as `serve up` starts it, those of every profile could."""
    argv, env = command(pick_tier(settings), settings, adapters)
    argv = without(argv, "--lora-target-modules")
    if not adapters:
        for option in ("--enable-lora", "--max-lora-rank", "--max-loras"):
            argv = without(argv, option)
    elif layers := LAYERS.get(modules):
        argv += ["--lora-target-modules", *layers]
    log = settings.root / "vllm.log"
    with log.open("wb") as out:
        process = subprocess.Popen(argv, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        engine = Engine(settings)
        while not engine.up():
            if process.poll() is not None:
                raise SystemExit(log.read_text()[-2000:])
            time.sleep(0.5)
        yield engine
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def without(argv: list[str], option: str) -> list[str]:
    """The command line without an option and its values."""
    if option not in argv:
        return argv
    at = argv.index(option)
    return argv[:at] + argv[next((n for n in range(at + 1, len(argv)) if argv[n].startswith("--")), len(argv)) :]


def pace(url: str, models: Sequence[str], callers: int) -> float:
    """Tokens a second of `callers` at once, spread over the models."""
    begun = time.monotonic()
    with ThreadPoolExecutor(callers) as pool:
        said = sum(pool.map(lambda n: ask(url, models[n % len(models)], n), range(callers)))
    return said / (time.monotonic() - begun)


def ask(url: str, model: str, number: int) -> int:
    """One answer of `TOKENS` tokens; how many it has. Each is asked for otherwise, so that none is in the cache."""
    prompt = f"{number} Tell me at length about pumps."
    body = {"model": model, "prompt": prompt, "max_tokens": TOKENS, "ignore_eos": True, "temperature": 0}
    answer = httpx.post(f"{url}/v1/completions", json=body, timeout=600).raise_for_status()
    return int(answer.json()["usage"]["completion_tokens"])


def random_adapter(settings: Settings, folder: Path, modules: str) -> Path:
    """One of the rank that shipped adapters have."""
    import torch
    from peft import get_peft_model

    from corpora.profile import Recipe
    from tune.base import load_model
    from tune.lora import lora_config

    model = get_peft_model(load_model(settings.models / pick_tier(settings).base.id, "none"), lora_config(Recipe(modules=modules)))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.01)
    model.save_pretrained(str(folder))
    return folder


if __name__ == "__main__":
    main()
