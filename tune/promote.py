"""Choose which adapter answers: through the gateway where it is up, else here.  Run: tune promote maintenance 2"""

from typing import Any

import httpx

from corpora import UserError, load_profile
from ingest.settings import Settings
from serve import champion
from serve.champion import Promotion, versions
from serve.engine import reason

PATIENCE = 300.0  # seconds: vLLM loads the adapter, answers with it, and the old one drains


def promote(settings: Settings, corpus: str, version: int | None, force: bool = False) -> Promotion:
    """Make `version` (the newest where None) the champion of `corpus`, if it passes the gate or by `force`."""
    load_profile(corpus, settings.root)
    if version is None:
        version = max(versions(settings, corpus), default=None)
        if version is None:
            raise UserError(f"{corpus} has no adapter to promote.", f"Make one: tune sft {corpus}")
    told = _gateway(settings, corpus, "promote", {"version": version, "force": force})
    return told or champion.promote(settings, corpus, version, force)


def rollback(settings: Settings, corpus: str) -> Promotion:
    """Go back to the champion before this one, or to the base alone."""
    load_profile(corpus, settings.root)
    return _gateway(settings, corpus, "rollback", None) or champion.rollback(settings, corpus)


def _gateway(settings: Settings, corpus: str, action: str, body: dict[str, Any] | None) -> Promotion | None:
    """What the gateway says of it; None where none is up."""
    url = settings.url("api")
    key = settings.root / "local.key"
    if not url or not key.is_file():
        return None
    try:
        httpx.get(f"{url}/health", timeout=5, trust_env=False).raise_for_status()
    except httpx.HTTPError:
        return None
    headers = {"Authorization": f"Bearer {key.read_text().strip()}"}
    try:
        answer = httpx.post(f"{url}/v1/adapters/{corpus}/{action}", json=body, headers=headers, timeout=PATIENCE, trust_env=False)
    except httpx.HTTPError as error:
        raise UserError(f"The gateway stopped answering ({error}).", f"See which adapter is served: tune ls {corpus}") from None
    if not answer.is_success:
        raise UserError(reason(answer))
    return Promotion.model_validate(answer.json())
