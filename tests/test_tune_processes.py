"""One training in two processes on the CPU: it learns what one process learns, publishes once, and ends together.

On CPUs accelerate launches every configuration as plain data parallelism: nothing is sharded there.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ingest.settings import Settings
from serve.champion import versions
from tests.plant import CORPUS, PROFILE, SILENT, make_plant
from tune.data import make_data
from tune.sft import sft
from tune.train import Request

LAUNCH = Path(__file__).parents[1] / "tune" / "launch"


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_plant(home, tmp_path_factory.mktemp("plant"))
    profile = settings.root / "corpora" / CORPUS / "profile.yaml"
    taught = {**PROFILE["tune"], "sequences_per_step": 4}  # type: ignore[dict-item]
    profile.write_text(yaml.safe_dump({**PROFILE, "tune": taught}), encoding="utf-8")
    make_data(settings, CORPUS, 12, 0, SILENT)
    return settings


def launched(settings: Settings, name: str, *arguments: str) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(LAUNCH / f"{name}.yaml"), "-m", "tune", *arguments]
    environment = {**os.environ, "LECTERN_HOME": str(settings.root), "LECTERN_TIER": "cpu", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)


def steps(settings: Settings) -> list[dict[str, float]]:
    newest = max((settings.root / "runs").glob(f"{CORPUS}-sft-*"), key=lambda folder: folder.stat().st_mtime)
    return [row for row in map(json.loads, (newest / "log.jsonl").read_text().splitlines()) if "loss" in row]


def test_two_processes_publish_one_version_and_begin_with_the_loss_of_one(settings: Settings) -> None:
    alone = sft(settings, Request(CORPUS, max_steps=1), SILENT)
    (first,) = steps(settings)
    process = launched(settings, "fsdp", "sft", CORPUS, "--max-steps", "2")
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert versions(settings, CORPUS) == [alone.adapter.version, alone.adapter.version + 1]
    assert said.count("is published") == 1, "the first process alone talks"
    together = steps(settings)
    assert [row["step"] for row in together] == [1, 2]
    assert together[0]["loss"] == pytest.approx(first["loss"], rel=0.02), "the same rows, each seen once"
    runs = sorted((settings.root / "runs").glob(f"{CORPUS}-sft-*"))
    assert len(runs) == 2 and yaml.safe_load((runs[-1] / "config.yaml").read_text())["processes"] == 2


def test_a_mistake_ends_both_with_one_sentence(settings: Settings) -> None:
    process = launched(settings, "ddp", "sft", CORPUS, "--resume")
    said, _ = process.communicate(timeout=600)
    assert process.returncode != 0
    assert said.count("No interrupted run of tune sft") == 1


def test_ctrl_c_stops_both_after_one_step_with_a_checkpoint(settings: Settings) -> None:
    process = launched(settings, "ddp", "sft", CORPUS, "--max-steps", "40")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Step 1/"):
            break
    os.killpg(process.pid, signal.SIGINT)
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(1)
    assert process.poll() is not None, "neither waits for the other"
    newest = max((settings.root / "runs").glob(f"{CORPUS}-sft-*"))
    assert not (newest / "adapter").exists()
    (checkpoint,) = (newest / "checkpoints").glob("checkpoint-*")
    assert int(checkpoint.name.rpartition("-")[2]) == steps(settings)[-1]["step"]


@pytest.mark.parametrize("name", ["ddp", "fsdp", "deepspeed"])
def test_the_launcher_reads_each_configuration(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    found = load_config_from_file(str(LAUNCH / f"{name}.yaml"))
    assert found.num_processes == 2
    assert str(found.distributed_type).rpartition(".")[2] == {"ddp": "MULTI_GPU", "fsdp": "FSDP", "deepspeed": "DEEPSPEED"}[name]
