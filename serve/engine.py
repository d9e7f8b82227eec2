"""vLLM, the model server: how it is started, and the client of its admin side.  Try: serve doctor"""

import json
import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import httpx

from corpora import UserError, load_profile, profile_names
from ingest.settings import Settings
from serve.thinking import reasoning_parser
from serve.tiers import Tier

STREAMED = 8  # tokens in one event of a stream: a sentence leaves when it is whole, and every event costs the gateway a millisecond
WRAPPED = "vllm.layers.json"  # in home/run: which layers of the running vLLM can carry an adapter, if not all
# Layers that learn, by the profile's word for them. Each set is one layer for vLLM, which computes its parts together.
LAYERS = {"mlp": ("gate_proj", "up_proj"), "attention": ("q_proj", "k_proj", "v_proj")}
RANKS = (16, 32, 64)  # of the steps that vLLM knows
LOADED_AT_ONCE = 4  # adapters in one batch; each more costs memory, others wait their turn
UNDER_WAY = ("vllm:num_requests_running{", "vllm:num_requests_waiting{")  # of its /metrics
# Nothing leaves the machine, and no model is looked for on a hub: what is served lies in home/models.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "TOKENIZERS_PARALLELISM": "false",
}


def command(tier: Tier, settings: Settings, adapters: Mapping[str, Path]) -> tuple[list[str], dict[str, str]]:
    """The command line and environment of a vLLM that serves `tier.base` and `adapters` (name → folder), loopback only.

    Adapters can be loaded at run time by whoever reaches the port, so it is never opened to the network.
    """
    argv = [
        # Its `vllm` command fails in the CPU build; the module works in both.
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(settings.models / tier.base.id), "--served-model-name", tier.base.id),
        *("--host", "127.0.0.1", "--port", str(settings.vllm_port)),
        *("--dtype", tier.dtype, "--max-model-len", str(tier.context)),
        *("--enable-lora", "--max-lora-rank", str(largest_rank(settings)), "--max-loras", str(LOADED_AT_ONCE)),
        *("--stream-interval", str(STREAMED)),
        "--disable-uvicorn-access-log",
    ]
    if layers := wrapped_layers(settings, tier, adapters):
        argv += ["--lora-target-modules", *layers]
    env = {**os.environ, **OFFLINE, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
    if tier.gpu:
        argv += ["--gpu-memory-utilization", str(tier.gpu_memory)]
        if tier.quantization:
            argv += ["--quantization", tier.quantization]
    else:
        argv += ["--enforce-eager"]  # compiling costs a minute at start and gained nothing when measured
        env.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")  # GB
    if parser := reasoning_parser(settings.models / tier.base.id):
        argv += ["--reasoning-parser", parser]
    if adapters:
        argv += ["--lora-modules", *(f"{name}={folder}" for name, folder in adapters.items())]
    return argv, env


def largest_rank(settings: Settings) -> int:
    """The step of vLLM's that the largest LoRA rank of any profile needs: it reserves room for it and refuses more."""
    ranks = [16]
    for name in profile_names(settings.root):
        try:
            ranks.append(load_profile(name, settings.root).tune.rank)
        except UserError:
            continue  # a broken profile has its own sentence where that corpus is used
    return next(step for step in RANKS if step >= max(ranks))


def learning(modules: str, tier: Tier) -> str:
    """What a profile's `tune: modules:` means on this tier: all, mlp or attention."""
    return modules if modules != "auto" else "all" if tier.gpu else "mlp"


def wrapped_layers(settings: Settings, tier: Tier, adapters: Mapping[str, Path]) -> list[str]:
    """The layers that the profiles teach and `adapters` have, where those are not all; none for all.

    On a CPU each layer that can carry an adapter takes its time with every token, whether it carries one or not.
    """
    wrapped: set[str] = set()
    for name in profile_names(settings.root):
        try:
            layers = LAYERS.get(learning(load_profile(name, settings.root).tune.modules, tier), ())
        except UserError:
            continue
        if not layers:
            return []
        wrapped.update(layers)
    for folder in adapters.values():
        if not (layers := taught_layers(folder)):
            return []
        wrapped.update(layers)
    return sorted(wrapped) if wrapped <= set().union(*LAYERS.values()) else []


def taught_layers(folder: Path) -> tuple[str, ...]:
    """The layers that the adapter in `folder` names; none where it says so in another way."""
    try:
        named = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["target_modules"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(named) if isinstance(named, list) else ()


def champions(settings: Settings) -> tuple[dict[str, Path], list[str]]:
    """The champion adapters (name → folder) that vLLM can carry, and a sentence for each that it cannot.

    One bad adapter on its command line would keep vLLM from starting at all.
    """
    from serve.adapter import check_adapter, refuse_other_prompt
    from serve.champion import champion

    fit: dict[str, Path] = {}
    unfit: list[str] = []
    for file in sorted(settings.adapters.glob("*/champion.json")):
        try:
            chosen = champion(settings, file.parent.name)
            if chosen:
                check_adapter(settings.root / chosen.path, settings)
                refuse_other_prompt(settings.root / chosen.path, settings)
                fit[chosen.name] = settings.root / chosen.path
        except UserError as error:
            unfit.append(str(error))
    return fit, unfit


@lru_cache(maxsize=1)
def loopback() -> httpx.Client:
    """One client for this machine's own services.

    A proxy from the environment is not for them; TLS is set up once, not for each look at their health; and connections
    are not kept, for a service that was started again does not know the old ones.
    """
    return httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


class Engine:
    """Client of the running vLLM. `up` and `models` never raise; `load` and `unload` say what went wrong."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def url(self) -> str:
        return self.settings.url("vllm") or f"http://127.0.0.1:{self.settings.vllm_port}"

    def up(self) -> bool:
        try:
            return loopback().get(f"{self.url}/health", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def models(self) -> list[str]:
        """Names that can be asked for: the base first, then the adapters; empty where vLLM is not up."""
        try:
            answer = loopback().get(f"{self.url}/v1/models", timeout=5).raise_for_status()
            return [model["id"] for model in answer.json()["data"]]
        except (httpx.HTTPError, ValueError, KeyError):
            return []

    def answering(self) -> bool:
        """Is any request being answered or waiting? False where vLLM does not say."""
        try:
            lines = loopback().get(f"{self.url}/metrics", timeout=5).raise_for_status().text.splitlines()
            return any(float(line.rsplit(" ", 1)[1]) > 0 for line in lines if line.startswith(UNDER_WAY))
        except (httpx.HTTPError, ValueError, IndexError):
            return False

    def load(self, name: str, path: Path) -> None:
        """Load the adapter in `path` under `name`; a version keeps its own name, for one name must mean one adapter."""
        if name not in self.models():
            self._refuse_unwrapped(name, path)
            self._post("load_lora_adapter", {"lora_name": name, "lora_path": str(path)}, f"load {name}")

    def _refuse_unwrapped(self, name: str, path: Path) -> None:
        """vLLM takes an adapter for layers that it was not told of without a word, and answers as if there were none."""
        try:
            wrapped = set(json.loads((self.settings.run / WRAPPED).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return
        if wrapped and (others := sorted({*taught_layers(path)} - wrapped)):
            raise UserError(f"vLLM was started for adapters of {', '.join(sorted(wrapped))} alone, and {name} has {', '.join(others)} too.",
                            "Start it anew: make down, then make up")  # fmt: skip

    def unload(self, name: str) -> None:
        if name in self.models():
            self._post("unload_lora_adapter", {"lora_name": name}, f"unload {name}")

    def _post(self, call: str, body: dict[str, str], what: str) -> None:
        try:
            answer = loopback().post(f"{self.url}/v1/{call}", json=body, timeout=120)
        except httpx.HTTPError as error:
            raise UserError(f"vLLM does not answer at {self.url} ({error}).", "Start it: make up") from None
        if not answer.is_success:
            raise UserError(f"vLLM would not {what}: {reason(answer)}.", f"See {self.settings.run / 'vllm.log'}")


def reason(answer: httpx.Response) -> str:
    """The first line of what vLLM says went wrong."""
    try:
        data = answer.json()
        text = data["error"]["message"] if "error" in data else data["message"]
    except (ValueError, KeyError, TypeError):
        text = answer.text
    return " ".join(str(text).split())[:300] or f"HTTP {answer.status_code}"
