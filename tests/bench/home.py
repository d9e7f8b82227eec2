"""A home with one empty corpus and the unpacked models; and a Chroma server for it."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.settings import Settings
from serve.services import chroma
from tests import conftest
from tests.echo import MODEL

READS_BOTH = "Qwen2.5-1.5B-Instruct"
PROFILE = "title: Bench\ndescription: Figures.\nlanguages: [en]\n"


def models() -> Path:
    """The folder of unpacked models: of this machine's home, else of the tests, unpacked there where they are not yet."""
    home = Settings().models
    return (home if home.is_dir() else conftest.models()).resolve()


def make_home(folder: Path, name: str = "bench", profile: str = PROFILE) -> Settings:
    """Make it in `folder`, with one corpus."""
    file = folder / "corpora" / name / "profile.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(profile)
    (folder / "models").symlink_to(models())
    return Settings(home=folder, chroma_url="")


def make_bilingual_home(folder: Path) -> Settings:
    """One without a corpus, on a machine whose base is asked in Chinese too: the small model stands there under a larger one's name."""
    (folder / "models").mkdir(parents=True)
    for model in models().iterdir():
        (folder / "models" / model.name).symlink_to(model)
    (folder / "models" / READS_BOTH).symlink_to(models() / MODEL)
    (port,) = conftest.free_ports(1)
    settings = Settings(home=folder, chroma_url="", tier="gpu-8gb", vllm_port=port)
    settings.run.mkdir()
    return settings


@contextmanager
def server(settings: Settings) -> Iterator[None]:
    """Chroma as `serve up` starts it."""
    service = chroma(settings)
    argv, env = service.command()
    with (settings.run / "chroma.log").open("wb") as log:
        service.process = subprocess.Popen(argv, env=env, stdout=log, stderr=log)
    try:
        while not service.healthy():
            if service.process.poll() is not None:
                raise SystemExit((settings.run / "chroma.log").read_text())
            time.sleep(0.1)
        (settings.run / "chroma.url").write_text(service.url)
        yield
    finally:
        (settings.run / "chroma.url").unlink(missing_ok=True)
        service.process.terminate()
        service.process.wait(30)
