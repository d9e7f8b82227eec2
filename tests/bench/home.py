"""A home with one empty corpus and the unpacked models; and a Chroma server for it."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.settings import Settings
from serve.services import chroma
from tests import conftest

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
