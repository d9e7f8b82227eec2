"""A training starts itself anew with tcmalloc where the machine has it, and with every argument that it was given."""

import os
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import pytest

CODE = "import os, sys; from tune.allocator import use_tcmalloc; use_tcmalloc(); print(os.environ.get('LD_PRELOAD', ''), *sys.argv[1:])"


def said(**env: str) -> list[str]:
    root = str(Path(__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", CODE, "sft", "a b"], capture_output=True, text=True, check=True,
                          env=os.environ | {"PYTHONPATH": root} | env)  # fmt: skip
    return done.stdout.rstrip("\n").split(" ", 1)


def test_it_is_loaded_once_and_the_arguments_stay() -> None:
    if not find_library("tcmalloc_minimal"):
        pytest.skip("tcmalloc is not installed")
    loaded, arguments = said(LD_PRELOAD="")
    assert "tcmalloc" in loaded and arguments == "sft a b"


def test_an_allocator_that_somebody_chose_stays() -> None:
    assert said(LD_PRELOAD="libjemalloc.so.2") == ["libjemalloc.so.2", "sft a b"]
