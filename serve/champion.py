"""The champion: which adapter of a corpus is served.  Run: tune promote maintenance 2

adapters/<corpus>/champion.json is the only truth about it. It is written by rename and read at each request, so writing
it is the switch; a version's name and folder never hold anything else, so no cache can mix two adapters.
"""

import json
import os
import re
import time
from pathlib import Path

import httpx
from pydantic import BaseModel, Field, ValidationError

from corpora import UserError, load_profile
from ingest.locks import lock
from ingest.settings import Settings
from serve.adapter import check_adapter
from serve.engine import Engine, loopback
from serve.gate import check_gate
from serve.tiers import pick_tier

SETTLE = 1.0  # seconds in which questions that already chose the old champion reach vLLM
DRAIN = 30.0  # and at most so many until their answers have ended
LOADING = 120.0  # seconds that a question waits while its version is loaded for another, or another one is promoted
SMOKE_TOKENS = 8
LAST = "last"  # beside the versions: the highest number that was given out


class Champion(BaseModel):
    """What champion.json holds."""

    version: int = Field(ge=1)
    name: str  # under which vLLM serves it
    path: str  # its folder, from LECTERN_HOME
    previous: list[int] = []  # earlier champions, the latest last: what rollback goes back to


class Promotion(BaseModel):
    """What came of a promotion or a rollback; without a champion the base alone answers."""

    champion: Champion | None
    notice: str


def champion(settings: Settings, corpus: str) -> Champion | None:
    """The adapter that answers for `corpus` now, or None for the base alone."""
    file = _file(settings, corpus)
    try:
        return Champion.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise UserError(f"{file} is damaged.", f"Remove it, then choose again: tune promote {corpus} VERSION") from None


def versions(settings: Settings, corpus: str) -> list[int]:
    """The published adapter versions of `corpus`, oldest first."""
    folders = (settings.adapters / corpus).glob("*/adapter_config.json")
    return sorted(int(f.parent.name) for f in folders if re.fullmatch(r"[1-9]\d{0,8}", f.parent.name))


def given_out(settings: Settings, corpus: str) -> int:
    """The highest version that was ever published, there still or not.

    No number is given twice, for a running vLLM may hold the first adapter that had it.
    """
    file = settings.adapters / corpus / LAST
    there = [int(p.name) for p in file.parent.glob("*") if p.name.isdecimal()]
    return max([*there, int(file.read_text()) if file.is_file() else 0])


def give_out(settings: Settings, corpus: str, version: int) -> None:
    """Note that a version has its number now."""
    file = settings.adapters / corpus / LAST
    part = file.with_name(f"{LAST}.{version}.part")
    part.write_text(f"{max(version, given_out(settings, corpus))}\n")
    part.replace(file)


def promote(settings: Settings, corpus: str, version: int, force: bool = False, drain: float = DRAIN) -> Promotion:
    """Make a published version the champion, once vLLM has loaded it and it has generated something.

    Raises `UserError` where it does not pass the profile's gate, unless `force` says that it shall be served nevertheless.
    """
    profile = load_profile(corpus, settings.root)
    known = versions(settings, corpus)
    if version not in known:
        there = ", ".join(map(str, known)) or "none"
        raise UserError(
            f"{corpus} has no adapter version {version}. Published: {there}.", f"Make one: tune sft {corpus}"
        )
    with _switching(settings, corpus):
        old = champion(settings, corpus)
        if not force and (old is None or old.version != version):
            check_gate(settings, profile, version, old.version if old else None)
        if old and old.version == version:
            before = old.previous
        else:
            before = [*(v for v in (old.previous if old else []) if v != version), *([old.version] if old else [])]
        return _switch(settings, corpus, old, _champion(settings, corpus, version, before), drain)


def load(settings: Settings, corpus: str, version: int) -> str:
    """The name under which vLLM serves a published version; it is loaded first if need be, and stays until vLLM starts again."""
    chosen, engine = _champion(settings, corpus, version, []), Engine(settings)
    if not engine.up():
        raise UserError("The model server is not up, so no version can be asked.", "Start it: make up")
    if chosen.name in engine.models():
        return chosen.name
    with _switching(settings, corpus, LOADING):
        if chosen.name not in engine.models():
            check_adapter(settings.root / chosen.path, settings)
            _load(engine, chosen.name, settings.root / chosen.path, pick_tier(settings).base.id)
    return chosen.name


def rollback(settings: Settings, corpus: str, drain: float = DRAIN) -> Promotion:
    """Go back to the champion before this one; from the first, to the base alone."""
    load_profile(corpus, settings.root)
    with _switching(settings, corpus):
        old = champion(settings, corpus)
        if old is None:
            raise UserError(
                f"{corpus} has no champion: the base alone answers.", f"Choose one: tune promote {corpus} VERSION"
            )
        there = [v for v in old.previous if v in versions(settings, corpus) and _can_be_served(settings, corpus, v)]
        new = _champion(settings, corpus, there[-1], there[:-1]) if there else None
        return _switch(settings, corpus, old, new, drain)


def _can_be_served(settings: Settings, corpus: str, version: int) -> bool:
    try:
        check_adapter(settings.adapters / corpus / str(version), settings)
        return True
    except UserError:
        return False


def _switch(settings: Settings, corpus: str, old: Champion | None, new: Champion | None, drain: float) -> Promotion:
    engine = Engine(settings)
    up = engine.up()
    if new:
        folder = settings.root / new.path
        check_adapter(folder, settings)
        if up:
            _load(engine, new.name, folder, pick_tier(settings).base.id)
    _write(settings, corpus, new)
    if up and old and (new is None or old.name != new.name):
        _drain(engine, drain)
        try:
            engine.unload(old.name)
        except UserError:
            pass  # it takes a little memory until vLLM starts again, and no question reaches it
    if new is None:
        return Promotion(champion=None, notice=f"{corpus} is answered by the base alone now.")
    if up:
        return Promotion(champion=new, notice=f"{corpus} is answered by {new.name} now.")
    return Promotion(
        champion=new,
        notice=f"{new.name} is the champion of {corpus}. The model server is not up; it loads at its next start.",
    )


def _drain(engine: Engine, most: float) -> None:
    """Wait until the questions that chose the old champion have their answers, `most` seconds at the longest."""
    until = time.monotonic() + most
    time.sleep(min(SETTLE, most))
    while time.monotonic() < until and engine.answering():
        time.sleep(0.2)


def _load(engine: Engine, name: str, folder: Path, base: str) -> None:
    """Load the adapter and try it; one that fails is unloaded again."""
    was_there = name in engine.models()
    engine.load(name, folder)
    try:
        _smoke(engine, name)
    except UserError as failed:
        if not was_there:
            engine.unload(name)
        try:
            _smoke(engine, base)
        except UserError:  # weights that overflow leave NaN in vLLM's cache, which no request survives
            raise UserError(f"{name} has silenced the model server; the champion stays as it was.",
                            "Start it again: make down, then make up") from None  # fmt: skip
        raise failed


def _smoke(engine: Engine, name: str) -> None:
    body = {
        "model": name,
        "messages": [{"role": "user", "content": "Say what you are."}],
        "max_tokens": SMOKE_TOKENS,
        "temperature": 0,
    }
    try:
        answer = loopback().post(f"{engine.url}/v1/chat/completions", json=body, timeout=120).raise_for_status().json()
        said = answer["choices"][0]["message"]
        text = said["content"] or said.get("reasoning") or ""  # a reasoning model does not come to its answer in so few
    except (httpx.HTTPError, ValueError, KeyError, IndexError) as error:
        raise UserError(f"{name} was loaded but does not generate ({error}); the champion stays as it was.",
                        "See vLLM's log: run/vllm.log in LECTERN_HOME") from None  # fmt: skip
    if not text.strip():
        raise UserError(
            f"{name} was loaded but generates nothing; the champion stays as it was.",
            "Train it anew, or promote another.",
        )


def _write(settings: Settings, corpus: str, new: Champion | None) -> None:
    file = _file(settings, corpus)
    if new is None:
        file.unlink(missing_ok=True)
        return
    part = file.with_name("champion.json.part")
    with part.open("w", encoding="utf-8") as out:
        json.dump(new.model_dump(), out, indent=2)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)


def _champion(settings: Settings, corpus: str, version: int, previous: list[int]) -> Champion:
    path = (settings.adapters / corpus / str(version)).relative_to(settings.root)
    return Champion(version=version, name=f"{corpus}-v{version}", path=path.as_posix(), previous=previous)


def _file(settings: Settings, corpus: str) -> Path:
    return settings.adapters / corpus / "champion.json"


def _switching(settings: Settings, corpus: str, wait: float = 0.0):  # type: ignore[no-untyped-def]
    return lock(settings.run / f"champion-{corpus}.lock", f"The champion of {corpus}", wait)
