"""The adapter registry: adapters/<corpus>/<version>/, written once and never changed.  Run: tune ls maintenance"""

import json
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from corpora import UserError
from ingest.settings import Settings
from serve.adapter import check_adapter
from serve.champion import give_out, given_out, versions
from tune.card import adapter_card
from tune.run import Plan
from tune.schema import Adapter

WEIGHTS, CONFIG, MANIFEST = "adapter_model.safetensors", "adapter_config.json", "manifest.json"


def publish(settings: Settings, trained: Path, plan: Plan, loss: float) -> Adapter:
    """Publish the adapter in `trained` as its corpus's next version. Raises `UserError` where vLLM could not serve it.

    A reader sees the whole version or none: it is made in a hidden folder and takes its number by rename.
    """
    shutil.rmtree(trained / "ref", ignore_errors=True)  # TRL's frozen copy of the policy that DPO started from
    home = settings.adapters / plan.corpus
    home.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".arriving-", dir=home))
    try:
        _copy_weights(trained / WEIGHTS, partial / WEIGHTS, plan.corpus)
        _copy_config(trained / CONFIG, partial / CONFIG, plan.corpus, plan.base)
        while True:
            adapter = _manifest(plan, given_out(settings, plan.corpus) + 1, loss)
            (partial / MANIFEST).write_text(adapter.model_dump_json(indent=2) + "\n", encoding="utf-8")
            (partial / "card.md").write_text(adapter_card(adapter), encoding="utf-8")
            check_adapter(partial, settings)
            try:
                partial.rename(home / str(adapter.version))
                break
            except OSError:
                if not (home / str(adapter.version)).exists():
                    raise
                # another run took the number between looking and renaming
        give_out(settings, plan.corpus, adapter.version)
        folder = home / str(adapter.version)
        folder.chmod(0o755)
        for file in folder.iterdir():
            file.chmod(0o444)
        return adapter
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def adapters(settings: Settings, corpus: str) -> list[Adapter]:
    """Every published version of a corpus, oldest first."""
    return [read_adapter(settings, corpus, version) for version in versions(settings, corpus)]


def read_adapter(settings: Settings, corpus: str, version: int) -> Adapter:
    file = adapter_folder(settings, corpus, version) / MANIFEST
    try:
        return Adapter.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        there = ", ".join(map(str, versions(settings, corpus))) or "none"
        raise UserError(f"{corpus} has no adapter version {version}. Published: {there}.", f"Make one: tune sft {corpus}") from None
    except ValidationError:
        raise UserError(f"{file} is damaged.", f"Make the adapter anew: tune sft {corpus}") from None


def adapter_folder(settings: Settings, corpus: str, version: int) -> Path:
    return settings.adapters / corpus / str(version)


def newest_sft(settings: Settings, corpus: str) -> Adapter:
    """What DPO goes on from. Raises `UserError` where there is none."""
    found = [adapter for adapter in adapters(settings, corpus) if adapter.kind == "sft"]
    if not found:
        raise UserError(f"DPO goes on from an SFT adapter, and {corpus} has none.", f"Make one: tune sft {corpus}")
    return found[-1]


def refuse_stale(adapter: Adapter, template: str, base: str) -> None:
    """Raises `UserError` unless it was trained with this prompt and this base, by their hashes."""
    if adapter.template_hash != template or adapter.base_hash != base:
        raise UserError(f"Version {adapter.version} of {adapter.corpus} was trained with another prompt or base than are served now.",
                        f"Train it anew: tune sft {adapter.corpus}")  # fmt: skip


def refuse_other_shape(adapter: Adapter, plan: Plan) -> None:
    """Raises `UserError` unless it has the rank and the layers that the plan's recipe asks for."""
    recipe = plan.recipe.model_dump(include={"rank", "rslora", "modules"})
    if others := [f"{name} {adapter.settings.get(name)}" for name, value in recipe.items() if adapter.settings.get(name) != value]:
        wanted = ", ".join(f"{name} {value}" for name, value in recipe.items())
        raise UserError(f"Version {adapter.version} of {adapter.corpus} has {' and '.join(others)}, and the recipe says {wanted}.",
                        "Write the same in the profile under tune:, or train from the base, without --from.")  # fmt: skip


def _manifest(plan: Plan, version: int, loss: float) -> Adapter:
    told = {"max_steps", "precision", "checkpointing", "batch", "accumulate", "max_length", "seed"}
    return Adapter(
        corpus=plan.corpus, version=version, kind=plan.kind, base=plan.base, base_hash=plan.base_hash, template_hash=plan.template_hash,
        data_hash=plan.data_hash, rows=plan.rows, parent=plan.parent, trained_on=plan.trained_on, documents=plan.documents,
        settings={**plan.recipe.model_dump(), **plan.model_dump(include=told)}, loss=round(loss, 6),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _copy_weights(source: Path, target: Path, corpus: str) -> None:
    """The weights in bf16: half the size, and what vLLM computes in."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    try:
        tensors = load_file(source)
    except (FileNotFoundError, SafetensorError) as error:
        raise UserError(f"{source} cannot be read ({error}).", f"Train again: tune sft {corpus}") from None
    save_file({name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()}, target, {"format": "pt"})


def _copy_config(source: Path, target: Path, corpus: str, base: str) -> None:
    """The adapter's settings, with its base by name: where that lay on the machine that trained it means nothing elsewhere."""
    try:
        config: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise UserError(f"{source} cannot be read ({error}).", f"Train again: tune sft {corpus}") from None
    config["base_model_name_or_path"] = base
    if isinstance(config.get("target_modules"), list):
        config["target_modules"] = sorted(config["target_modules"])
    target.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
