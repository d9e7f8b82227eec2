"""The five processes that Lectern is made of, and how each is started.  See them: serve doctor"""

import json
import os
import sys
from pathlib import Path

from ingest.settings import Settings
from serve.engine import WRAPPED, champions, command, wrapped_layers
from serve.supervisor import CHECKOUT, Command, Say, Service, environment
from serve.tiers import Tier


def make_services(settings: Settings, tier: Tier, say: Say) -> list[Service]:
    """In the order in which they are started. A Chroma elsewhere (CHROMA_URL) is not started here."""
    return [
        *([] if settings.chroma_url else [chroma(settings)]),
        vllm(settings, tier, say),
        gateway(settings, tier),
        worker(settings, tier),
        page(settings),
    ]


def fixed_environment(settings: Settings, tier: Tier) -> dict[str, str]:
    """What `tier` chose, so that a model fetched while Lectern is up changes nothing before the next start."""
    chosen = {"LECTERN_TIER": tier.name, "LECTERN_BASE": tier.base.id, "LECTERN_EMBEDDER": tier.embedder.id}
    return environment(settings) | chosen


def chroma(settings: Settings) -> Service:
    # Loopback alone: this version ignores its own settings for authentication.
    argv = [str(Path(sys.executable).with_name("chroma")), "run", "--host", "127.0.0.1",
            "--port", str(settings.chroma_port), "--path", str(settings.root / "chroma")]  # fmt: skip
    return Service("chroma", "Chroma", lambda: (argv, environment(settings)), settings.chroma_port,
                   "LECTERN_CHROMA_PORT", health="/api/v2/heartbeat")  # fmt: skip


def vllm(settings: Settings, tier: Tier, say: Say) -> Service:
    def command_now() -> Command:
        adapters, unfit = champions(settings)
        for sentence in unfit:
            say(sentence)
        argv, env = command(tier, settings, adapters)
        (settings.run / WRAPPED).write_text(json.dumps(wrapped_layers(settings, tier, adapters)), encoding="utf-8")
        return argv, fixed_environment(settings, tier) | env

    # Weights of 60 GB from a slow disk take their time. Without it Lectern quotes its documents, so it is not needed.
    patience = 1800.0 if tier.gpu else 600.0
    return Service("vllm", "vLLM", command_now, settings.vllm_port, "LECTERN_VLLM_PORT", patience=patience,
                   needed=False)  # fmt: skip


def gateway(settings: Settings, tier: Tier) -> Service:
    argv = [sys.executable, "-m", "serve", "api"]
    return Service("api", "the gateway", lambda: (argv, fixed_environment(settings, tier)), settings.api_port,
                   "LECTERN_API_PORT", settings.host)  # fmt: skip


def worker(settings: Settings, tier: Tier) -> Service:
    argv = [sys.executable, "-m", "serve", "worker"]
    return Service("worker", "the worker", lambda: (argv, fixed_environment(settings, tier)))


def page(settings: Settings) -> Service:
    argv = [sys.executable, "-m", "streamlit", "run", str(CHECKOUT / "ui" / "app.py"),
            "--server.address", settings.host, "--server.port", str(settings.page_port), "--server.headless", "true",
            "--browser.gatherUsageStats", "false"]  # fmt: skip
    env = {"LECTERN_API_URL": f"http://127.0.0.1:{settings.api_port}", "PYTHONPATH": search_path()}
    return Service("page", "the page", lambda: (argv, environment(settings) | env), settings.page_port,
                   "LECTERN_PAGE_PORT", settings.host, health="/_stcore/health")  # fmt: skip


def search_path() -> str:
    """Streamlit puts the script's own folder on the path, not the one that `import ui` needs."""
    return os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
