"""Every command and every program that the README shows is run, against the real stack."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Stack

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```", README, re.S | re.M)
SAYS = {  # what a block must print
    "make ask": "[1] ",
    "ingest search code": "compute_delay",
    "--section": "95 N·m",
    "serve ask legal": "第二十三条",
    "OpenAI(": "[1] ",
    "tune sft": "maintenance",
    "ingest init": "agree",
    "serve model list": "SmolLM2-135M-Instruct",
}


def test_the_readme_has_its_blocks() -> None:
    assert len(BLOCKS) >= 7
    assert all(any(key in text for _, text in BLOCKS) for key in SAYS)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("kind", "text"), BLOCKS, ids=[text.split("\n")[0][:40] for _, text in BLOCKS])
def test_block(kind: str, text: str, stack: Stack) -> None:
    env = {
        **stack.env,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
    }
    # one short step on a few rows shows that the commands work
    short = text.replace("tune sft maintenance --max-steps 20", "tune data maintenance --rows 8\ntune sft maintenance --max-steps 1")
    command = ["bash", "-euo", "pipefail", "-c", short]
    if kind == "python":
        command = [sys.executable, "-c", text]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=880, check=False)
    assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "Traceback" not in done.stderr
    for key, words in SAYS.items():
        if key in text:
            assert words in done.stdout


def test_every_linked_file_and_named_setting_is_there() -> None:
    for link in re.findall(r"\]\((?!http|#)([^)]+)\)", README):
        assert (ROOT / link).exists(), link
    from ingest.settings import Settings

    for name in re.findall(r"LECTERN_([A-Z_]+)", README):
        assert name.lower() in Settings.model_fields, name


def test_the_list_of_calls_is_the_gateways(tmp_path: Path) -> None:
    from ingest.settings import Settings
    from serve.api import create_app

    def calls(routes: list) -> set[tuple[str, str]]:  # type: ignore[type-arg]
        return {(method, r.path) for r in routes for method in r.methods - {"HEAD"}}

    listed = set(re.findall(r"^\| `(GET|POST|DELETE) (/[^`]+)` \|", README, re.M))
    assert listed == calls(create_app(Settings(home=tmp_path)).routes)


def test_the_tree_names_every_room() -> None:
    tree = README.split("## What is where\n")[1].split("```")[1]
    for folder in (p for p in ROOT.iterdir() if p.is_dir() and (p / "__init__.py").exists()):
        assert f"{folder.name}/" in tree
