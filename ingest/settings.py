"""This machine's settings, from the environment; domain settings live in profiles, one run's in flags."""

import json
from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from corpora import UserError


class Settings(BaseSettings):
    """Where state lives and which addresses are used. Each field is read from LECTERN_<NAME> (or the alias given)."""

    model_config = SettingsConfigDict(env_prefix="LECTERN_", extra="ignore", populate_by_name=True)

    home: Path = Path("data")  # everything Lectern keeps; see "What is where on disk" in the README
    host: str = "127.0.0.1"  # another address opens the page and the gateway to the network
    api_port: int = Field(8000, ge=1, le=65535)
    chroma_port: int = Field(8001, ge=1, le=65535)
    vllm_port: int = Field(8002, ge=1, le=65535)
    page_port: int = Field(8501, ge=1, le=65535)
    tier: str = ""  # a name from serve/tiers.yaml; empty: found out from the machine
    base: str = ""  # a base model in home/models; empty: the tier's
    embedder: str = ""  # an embedding model in home/models; empty: the tier's. Changing it needs `ingest rebuild`
    chroma_url: str = Field("", validation_alias="CHROMA_URL")  # a Chroma server elsewhere

    @cached_property
    def root(self) -> Path:
        return self.home.expanduser().resolve()

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def adapters(self) -> Path:
        return self.root / "adapters"

    def machine(self) -> dict[str, str]:
        """What `serve up` chose for this machine (home/machine.json): tier, base, embedder. Empty before the first time."""
        file = self.root / "machine.json"
        try:
            return dict(json.loads(file.read_text())) if file.is_file() else {}
        except ValueError:
            raise UserError(f"{file} is damaged.", "Remove it; the next make up writes it anew.") from None

    def url(self, service: str) -> str | None:
        """The address under which `service` (api, chroma, vllm, page) is up, as its supervisor wrote it, or None."""
        file = self.run / f"{service}.url"
        return file.read_text().strip() if file.is_file() else None
