"""`serve up` and `serve down`: from a machine to a cited answer, and back to silence.  Run: serve up"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from getpass import getuser
from types import FrameType
from typing import Any

import httpx
import psutil

from corpora import UserError, load_profile, profile_names
from ingest.console import DONE, INTERRUPTED
from ingest.settings import Settings
from serve.engine import loopback
from serve.models import CARD
from serve.services import fixed_environment, make_services
from serve.shipped import install
from serve.supervisor import CHECKOUT, GRACE, TICK, Service, Supervisor, end, leftovers, running
from serve.tiers import Tier, detect_gpu, pick_tier

FIRST = "maintenance"  # the corpus that is asked the first question
PROGRESS_EVERY = 5.0 if sys.stdout.isatty() else 10.0


def up(settings: Settings) -> int:
    """Start everything, show that it answers, and stay until Ctrl-C or SIGTERM, which stop all of it."""
    if pid := running(settings):
        if not (settings.run / "ready").exists():
            say(f"Lectern is being started by process {pid}. See how far it is: {settings.run / 'supervisor.log'} where it was detached.")
            return DONE
        say(f"Lectern is already up (process {pid}).")
        show_addresses(settings)
        return DONE
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    started = time.monotonic()
    tier = pick_tier(settings)
    announce(settings, tier)
    settings.root.mkdir(mode=0o700, parents=True, exist_ok=True)  # it will hold copies of people's documents
    remember(settings, tier)
    supervisor = Supervisor(settings, make_services(settings, tier, say), say)
    try:
        with supervisor:
            bring_up(supervisor, settings, tier)
            say(f"Up after {time.monotonic() - started:.0f} s.")
            show_answer(settings)
            show_addresses(settings, here=sys.stdin is not None and sys.stdin.isatty())
            (settings.run / "ready").touch()
            while True:
                supervisor.tend()
                time.sleep(TICK)
    except KeyboardInterrupt:
        say("Stopped.")
        return DONE


def remember(settings: Settings, tier: Tier) -> None:
    """Write home/machine.json, by which every command embeds with the model that this machine serves with."""
    data = {"tier": tier.name, "base": tier.base.id, "embedder": tier.embedder.id}
    part = settings.root / "machine.json.part"
    part.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    part.replace(settings.root / "machine.json")


def bring_up(supervisor: Supervisor, settings: Settings, tier: Tier) -> None:
    """Everything that `up` starts, in order. vLLM needs longest, so all else happens while it loads."""
    refs = [ref for ref in (tier.base, tier.embedder, tier.reranker) if ref]
    if not all((settings.models / ref.id / CARD).is_file() for ref in refs):
        prepare("models", supervisor, settings, tier)
    install(settings, tier, say)
    if not settings.chroma_url:
        supervisor.start("chroma")
    supervisor.start("vllm")
    if not settings.chroma_url:
        supervisor.wait(["chroma"], progress())
    say("Indexing the shipped corpora (what is unchanged costs nothing) …")
    prepare("index", supervisor, settings, tier)
    supervisor.start("api", "worker", "page")
    rest = ["api", "worker", "page", "vllm"]
    for service in supervisor.wait(rest, progress()):
        say(f"{service.what} is not up; answers quote the documents until it is. Its log: {supervisor.log(service)}")


def prepare(what: str, supervisor: Supervisor, settings: Settings, tier: Tier) -> None:
    """Run `python -m serve.prepare` on this terminal; it is stopped with us."""
    env = fixed_environment(settings, tier) | {"LECTERN_SERVICE": "prepare", "LECTERN_HOME": str(settings.root)}
    argv = [sys.executable, "-m", "serve.prepare", what]
    with subprocess.Popen(argv, env=env, cwd=CHECKOUT, start_new_session=True) as process:
        try:
            while process.poll() is None:
                supervisor.tend()
                time.sleep(TICK)
        finally:
            if process.poll() is None:
                end([psutil.Process(process.pid)], GRACE)
    if process.returncode and what == "models":
        raise UserError("A model could not be unpacked; the line above says why.", "Mend it, then: make up")


def announce(settings: Settings, tier: Tier) -> None:
    gpu = detect_gpu()
    machine = f"{gpu.name}, {gpu.memory_gb:.0f} GB" if gpu else f"no GPU, {os.cpu_count()} cores"
    languages = " and ".join({"en": "English", "zh": "Chinese"}.get(code, code) for code in tier.base.languages)
    say(f"Tier {tier.name} ({machine}): {tier.base.id} (reads {languages}), {tier.embedder.id}")
    say(f"State is kept in {settings.root}")
    for notice in tier.notices:
        say(notice)
    if tier.base.carried:
        say(tier.larger if not tier.notices else "A model this small shows how it works, not how well it can.")


def progress() -> Callable[[Service, float], None]:
    """Says now and then what is waited for and for how long."""
    shown: dict[str, float] = {}

    def tell(service: Service, seconds: float) -> None:
        if time.monotonic() - shown.setdefault(service.name, time.monotonic()) >= PROGRESS_EVERY:
            shown[service.name] = time.monotonic()
            say(f"{service.what}: {'loading the model' if service.name == 'vllm' else 'starting'} … {seconds:.0f} s")

    return tell


def show_answer(settings: Settings) -> None:
    """Ask the first question through the gateway, as any other program would, and print the cited answer."""
    question = first_question(settings)
    if question is None:
        return
    corpus, text = question
    say(f"\nAsking {corpus}: {text}")
    try:
        answer = ask(settings, corpus, text)
    except UserError as error:
        say(str(error))
        return
    say(f"  {answer['choices'][0]['message']['content']}")
    for citation in answer.get("citations", []):
        page = f", page {citation['page']}" if citation.get("page") else ""
        quote = " ".join(citation["quote"].split())
        say(f"  [{citation['marker']}] {citation['document']}{page}: “{quote[:160]}{'…' * (len(quote) > 160)}”")
    if answer.get("notice"):
        say(f"  ({answer['notice']})")


def first_question(settings: Settings) -> tuple[str, str] | None:
    names = profile_names(settings.root)
    for name in sorted(names, key=lambda name: name != FIRST):
        try:
            examples = load_profile(name, settings.root).serve.examples
        except UserError:
            continue
        if examples:
            return name, examples[0]
    return None


def ask(settings: Settings, corpus: str, question: str) -> dict[str, Any]:
    """One question through the running gateway. Raises `UserError` with what it says."""
    from serve.journal import Journal

    url, key = settings.url("api"), Journal(settings.root).local_key()
    body = {"model": corpus, "messages": [{"role": "user", "content": question}]}
    try:
        answer = loopback().post(f"{url}/v1/chat/completions", json=body, timeout=300,
                                 headers={"Authorization": f"Bearer {key}"})  # fmt: skip
        data: dict[str, Any] = answer.json()
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise UserError(f"The gateway at {url} gave no answer ({error}).", f"See {settings.run / 'api.log'}") from None
    if not answer.is_success:
        raise UserError(str(data.get("error", {}).get("message", answer.status_code)))
    return data


def show_addresses(settings: Settings, here: bool = False) -> None:
    """Print where everything answers; `here`: Ctrl-C in this terminal stops it."""
    from serve.journal import Journal

    token = Journal(settings.root).sign_in_token()
    page, api = settings.url("page"), settings.url("api")
    say(f"\n  Page     {page}/?token={token}   (this link signs in once; for another: serve key link)")
    say(f"  Gateway  {api}/v1   OpenAI's shape; its key is in {settings.root / 'local.key'}")
    say(f"  Logs     {settings.run}/*.log")
    if connection := os.environ.get("SSH_CONNECTION", "").split():
        port = f" -p {connection[3]}" if connection[3:] and connection[3] != "22" else ""
        tunnels = " ".join(f"-L {n}:127.0.0.1:{n}" for n in (settings.page_port, settings.api_port))
        say(f"  From the computer you sit at: ssh {tunnels}{port} {getuser()}@{connection[2]}")
    say(f"  Stop it with {'Ctrl-C here, or from anywhere with: ' if here else ''}make down\n")


def detached(settings: Settings) -> int:
    """Start `serve up` in a session of its own, show what it says until it is ready, and leave it running."""
    if running(settings):
        return up(settings)
    settings.run.mkdir(parents=True, exist_ok=True)
    log = settings.run / "supervisor.log"
    log.unlink(missing_ok=True)
    (settings.run / "ready").unlink(missing_ok=True)
    env = {**os.environ, "LECTERN_HOME": str(settings.root), "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, "-m", "serve", "up"], env=env, cwd=CHECKOUT, stdout=out, stderr=out,
                                   stdin=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            while process.poll() is None and not (settings.run / "ready").exists():
                sys.stdout.write(lines.read())
                sys.stdout.flush()
                time.sleep(TICK)
            sys.stdout.write(lines.read())
            sys.stdout.flush()
    except KeyboardInterrupt:
        process.terminate()
        process.wait(timeout=4 * GRACE)
        return INTERRUPTED
    return process.poll() or DONE


def down(settings: Settings) -> int:
    """Stop whatever of this LECTERN_HOME is up, also what a killed supervisor left behind."""
    pid = running(settings)
    found = leftovers(settings)
    if pid and pid > 0:
        say(f"Stopping Lectern (process {pid}) …")
        try:
            process = psutil.Process(pid)
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=4 * GRACE)
        except psutil.NoSuchProcess:
            pass
        except psutil.TimeoutExpired:
            process.kill()
    end(leftovers(settings), GRACE)
    for file in [*settings.run.glob("*.url"), *settings.run.glob("*.pid"), settings.run / "ready"]:
        file.unlink(missing_ok=True)
    say("Everything is stopped." if pid or found else "Nothing was up.")
    return DONE


def interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM and a closed terminal end Lectern as Ctrl-C does; asked twice, it still ends in order."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    say("\nStopping everything …")
    raise KeyboardInterrupt


def say(sentence: str) -> None:
    try:
        print(sentence, flush=True)
    except OSError:  # the terminal is gone; what was started is to be stopped or tended all the same
        pass
