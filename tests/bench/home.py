"""A home with one empty corpus, `bench`, and the installed models; and a Chroma server for it."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.settings import Settings
from serve.services import chroma

PROFILE = "title: Bench\ndescription: Figures.\nlanguages: [en]\n"


def make_home(folder: Path) -> Settings:
    """Make it in `folder`. Raises `FileNotFoundError` where no model is unpacked yet."""
    models = next((m for m in (Settings().models, Path(".cache/models").resolve()) if m.is_dir()), None)
    if models is None:
        raise FileNotFoundError("No models are unpacked yet. Run make up or make test first.")
    profile = folder / "corpora" / "bench" / "profile.yaml"
    profile.parent.mkdir(parents=True)
    profile.write_text(PROFILE)
    (folder / "models").symlink_to(models)
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
