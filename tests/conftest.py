"""What the tests share: a home with the real small models in it, and the real running stack.

Unpacking the models and indexing take a minute, so both are kept under .cache/ and copied from there.
"""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ingest.locks import lock
from ingest.settings import Settings
from serve.engine import Engine, command
from serve.tiers import pick_tier

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache"
SERVE = [sys.executable, "-m", "serve"]
OFFLINE = {"HF_HUB_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False", "DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "false"}
os.environ.update(OFFLINE)
# A shell that runs us in the background has Ctrl-C ignored, and so would everything that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The stack's index: enough of each shipped corpus to ask about, little enough to be made in a minute.
SMALL = {
    "maintenance": ["sc-40-screw-compressor-manual.pdf", "cp-80-centrifugal-pump-manual.docx", "fault_log.csv",
                    "sb-2044-sc-40-oil-interval.md", "dc-15-dust-collector-manual.pdf"],
    "legal": ["hengchuan-contract-management-measures.docx", "hengchuan-attendance-overtime-policy.md", "kestrel-point-equipment-lease.md",
              "brightwater-orrin-vale-master-services-agreement.docx"],
    "code": ["error-codes.md", "conventions.md", "tidewire"],
    "official": ["qingshi-rules.md", "pifu-rules.md", "general-format.docx"],
}  # fmt: skip


@dataclass(frozen=True)
class Stack:
    """The running Lectern: addresses, the local key, and the environment by which commands find it."""

    home: Path
    settings: Settings
    key: str
    env: dict[str, str]

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.settings.api_port}"

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.settings.page_port}"

    @property
    def vllm(self) -> str:
        return f"http://127.0.0.1:{self.settings.vllm_port}"

    @property
    def chroma(self) -> str:
        return f"http://127.0.0.1:{self.settings.chroma_port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def command(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run `python -m ARGUMENTS` against this stack."""
        return subprocess.run([sys.executable, "-m", *arguments], env=self.env, cwd=ROOT, capture_output=True,
                              text=True, timeout=timeout, check=False)  # fmt: skip


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LECTERN_HOME with the two models that pip carries, and nothing else."""
    home = tmp_path_factory.mktemp("home")
    with cache_lock():
        copy(models(), home / "models")
    return home


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LECTERN_HOME with the models and the small index; nothing runs in it."""
    home = tmp_path_factory.mktemp("indexed")
    with cache_lock():
        copy(small_index(), home)
    return home


@pytest.fixture(scope="session", autouse=True)
def coming_up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Stack] | None]:
    """The real `serve up`, begun at once beside the first tests where any test wants it: vLLM takes its time to load."""
    if not any("stack" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    home = tmp_path_factory.mktemp("stack")
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(bring_up, home)
        yield coming
        if coming.exception() is None:
            subprocess.run([*SERVE, "down"], env=coming.result().env, cwd=ROOT, timeout=120, check=False, capture_output=True)


@pytest.fixture(scope="session")
def stack(coming_up: Future[Stack]) -> Stack:
    """The real `serve up` on free ports: Chroma, vLLM, gateway, worker and page over the small index."""
    return coming_up.result()


def bring_up(home: Path, whole: bool = False) -> Stack:
    """The real stack on `home`, over the small index, or the `whole` of the shipped documents, which takes minutes to make."""
    with cache_lock():
        copy(models(), home / "models") if whole else copy(small_index(), home)
    api, chroma, vllm, page = free_ports(4)
    settings = Settings(home=home, api_port=api, chroma_port=chroma, vllm_port=vllm, page_port=page)
    ports = {"API": api, "CHROMA": chroma, "VLLM": vllm, "PAGE": page}
    env = environment(home) | {f"LECTERN_{name}_PORT": str(port) for name, port in ports.items()}
    started = subprocess.run([*SERVE, "up", "--detach"], env=env, cwd=ROOT, text=True, capture_output=True,
                             timeout=540, check=False)  # fmt: skip
    if started.returncode or not (home / "run" / "ready").exists():
        logs = "".join(f"\n--- {log.name}\n{log.read_text(errors='replace')[-1500:]}"
                       for log in sorted((home / "run").glob("*.log")))  # fmt: skip
        subprocess.run([*SERVE, "down"], env=env, cwd=ROOT, timeout=120, check=False, capture_output=True)
        pytest.fail(f"serve up did not come up:\n{started.stdout}{started.stderr}{logs}", pytrace=False)
    return Stack(home, settings, (home / "local.key").read_text().strip(), env)


@contextmanager
def running_vllm(settings: Settings) -> Iterator[str]:
    """vLLM alone, as `serve up` starts it for the base of `settings`; its address."""
    argv, env = command(pick_tier(settings), settings, {})
    settings.run.mkdir(exist_ok=True)
    log = settings.run / "vllm.log"
    with log.open("wb") as out:
        process = subprocess.Popen(argv, env={**env, "VLLM_CPU_KVCACHE_SPACE": "1"}, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{settings.vllm_port}"
    try:
        while not Engine(settings).up():
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            time.sleep(0.5)
        (settings.run / "vllm.url").write_text(url)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def environment(home: Path) -> dict[str, str]:
    """This environment for commands on `home`, without what a person has set for themselves."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LECTERN_", "CHROMA_"))}
    return {**kept, **OFFLINE, "LECTERN_HOME": str(home), "LECTERN_TIER": "cpu", "PYTHONPATH": str(ROOT)}


def cache_lock() -> AbstractContextManager[None]:
    """Two test runs at once make the cache once."""
    return lock(CACHE / "lock", "The tests' cache", wait=500)


def models() -> Path:
    """.cache/models, filled on first use."""
    if not (CACHE / "models").is_dir():
        prepare("models", CACHE)
    return CACHE / "models"


def small_index() -> Path:
    """.cache/home-KEY: models and small index, made anew when documents, profiles or ingest's code change."""
    made = CACHE / f"home-{key()}"
    if not made.is_dir():
        for old in (*CACHE.glob("home-*"), *CACHE.glob("part*")):
            shutil.rmtree(old, ignore_errors=True)
        part = CACHE / "part"
        copy(models(), part / "models")
        for name, documents in SMALL.items():
            profile = yaml.safe_load((ROOT / "corpora" / name / "profile.yaml").read_text(encoding="utf-8"))
            folder = ROOT / "corpora" / name / "documents"
            profile.setdefault("ingest", {})["sources"] = [str(folder / document) for document in documents]
            (part / "corpora" / name).mkdir(parents=True)
            text = yaml.safe_dump(profile, allow_unicode=True)
            (part / "corpora" / name / "profile.yaml").write_text(text, encoding="utf-8")
            shutil.copy(ROOT / "corpora" / name / "questions.jsonl", part / "corpora" / name)
        prepare("index", part)
        shutil.rmtree(part / "run", ignore_errors=True)
        part.rename(made)
    return made


def prepare(what: str, home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([sys.executable, "-m", "serve.prepare", what], env=environment(home), cwd=ROOT, text=True,
                          capture_output=True, timeout=500, check=False)  # fmt: skip
    if done.returncode:
        pytest.fail(f"serve.prepare {what}:\n{done.stdout}{done.stderr}", pytrace=False)


def key() -> str:
    """Changes when the small index would come out otherwise."""
    digest = hashlib.sha256(str(sorted(SMALL.items())).encode())
    for name, documents in SMALL.items():
        corpus = ROOT / "corpora" / name
        places = [corpus / "profile.yaml", corpus / "questions.jsonl", *(corpus / "documents" / d for d in documents)]
        for place in places:
            for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
                if file.is_file():
                    digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    for file in sorted((ROOT / "ingest").rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def copy(source: Path, target: Path) -> None:
    """A copy that shares what nobody changes in place: the models' files."""

    def link(file: str, copied: str) -> str:
        if "/models/" in file:
            try:
                os.link(file, copied)
                return copied
            except OSError:  # another file system
                pass
        return str(shutil.copy2(file, copied))

    shutil.copytree(source, target, copy_function=link, dirs_exist_ok=True)


def free_ports(count: int) -> list[int]:
    """Ports free now, each another."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()
