"""Adapters that come with an assistant, in its folder's `adapter/`: published where nobody has trained one, and served if they win.

Beside its weights and manifest lies scores.json: the figures of its evaluation, and who answers better by default, it or quoting.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from corpora import Profile, UserError, load_profile, profile_names
from ingest.fitted import keep_modes
from ingest.settings import Settings
from serve.adapter import check_adapter
from serve.champion import give_out, given_out, promote
from serve.gate import BASE, CANDIDATE, failings
from serve.models import Say
from serve.prompt import template_hash
from serve.tiers import Tier


def install(settings: Settings, tier: Tier, say: Say) -> None:
    """Publish each assistant's own adapter, unless it has versions already or the adapter is for another base; let it answer if it passes
    the gate."""
    for name in profile_names(settings.root):
        try:
            profile = load_profile(name, settings.root)
            if given_out(settings, name) or not stands(profile, settings, tier):
                continue
            say(_install(profile, settings))
        except (UserError, OSError) as error:
            say(f"{name}: {error}")


def stands(profile: Profile, settings: Settings, tier: Tier) -> bool:
    """Does the assistant come with an adapter that was trained on this base, under the prompt that it is served with?"""
    manifest = _json(profile.folder / "adapter" / "manifest.json")
    folder = settings.models / tier.base.id
    is_its = manifest.get("base") == tier.base.id and manifest.get("corpus") == profile.name
    return is_its and folder.is_dir() and manifest.get("template_hash") == template_hash(folder)


def stale(settings: Settings, tier: Tier) -> list[str]:
    """A sentence for each assistant whose own adapter was trained on this base, but under another prompt than is served."""
    found = []
    for name in profile_names(settings.root):
        try:
            profile = load_profile(name, settings.root)
        except UserError:
            continue  # told where that corpus is looked at
        try:
            manifest = _json(profile.folder / "adapter" / "manifest.json")
            if manifest.get("base") == tier.base.id and (settings.models / tier.base.id).is_dir() and not stands(profile, settings, tier):
                found.append(f"The adapter that {name} comes with was trained under another prompt and is not served. Run: tune sft {name}")
        except UserError as error:
            found.append(str(error))
    return found


def _install(profile: Profile, settings: Settings) -> str:
    """What became of it."""
    own, home = profile.folder / "adapter", settings.adapters / profile.name
    scores = _json(own / "scores.json")
    check_adapter(own, settings)
    try:
        reasons = failings(profile, scores["systems"][CANDIDATE], BASE)
        modes = {lang: dict(row) for lang, row in scores["modes"].items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise UserError(f"{own / 'scores.json'} does not say what the adapter has shown.", "Take the folder away.") from None
    home.mkdir(parents=True, exist_ok=True)
    arriving = Path(tempfile.mkdtemp(prefix=".arriving-", dir=home))
    try:
        shutil.copytree(own, arriving, dirs_exist_ok=True, copy_function=shutil.copyfile)  # writable, whatever the shipped ones are
        manifest = _json(arriving / "manifest.json") | {"version": 1}
        (arriving / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        arriving.chmod(0o755)
        arriving.rename(home / "1")
        give_out(settings, profile.name, 1)
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    if reasons:
        return (f"{profile.name} comes with an adapter that does not pass its gate and is not served: {'; '.join(reasons)}. "
                f"To ask it as it is: serve ask {profile.name}@1 QUESTION")  # fmt: skip
    try:
        promote(settings, profile.name, 1, force=True)  # it has passed the gate where it was made
        keep_modes(profile.name, settings, f"{profile.name}-v1", modes)
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)  # so that the next start tries again
        raise
    return f"{profile.name} answers with the adapter that it comes with."


def _json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError):
        raise UserError(f"{file} is damaged.", "Get Lectern anew, or take the folder away.") from None
