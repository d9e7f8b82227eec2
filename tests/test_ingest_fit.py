"""Fitting words against meaning: on questions that the corpus asks of itself, and used by the search that follows."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from corpora import UserError, load_profile
from ingest.embed import open_embedder
from ingest.fit import CHARACTERS, WEIGHTS, WORDS, _choose, fit, part_of, questions, taken_out
from ingest.fitted import UNFITTED, dense_weight, fitted, fitted_file, wants_fitting
from ingest.manifest import Manifest, stamp
from ingest.schema import Chunk
from ingest.settings import Settings
from ingest.tokens import tokens


@pytest.fixture
def settings(indexed: Path, tmp_path: Path) -> Settings:
    for name in ("manifest.sqlite3", "chroma", "keywords", "corpora"):
        source = indexed / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)  # type: ignore[operator]
    (tmp_path / "models").symlink_to(indexed / "models")
    return Settings(home=tmp_path, chroma_url="")


def test_a_question_is_a_part_of_a_sentence_of_which_its_chunk_keeps_little() -> None:
    text = (
        "The valve on the north wall opens at five bar. Close it by hand after each of the tests.\n"
        "每日交班前应当清洁滤网，并做好记录。值班人员不得离岗。"
    )
    chunks = [Chunk("v", n, f"{text} Number {n}.", 0, len(text), None, "Manual") for n in range(30)]
    asked = list(questions(chunks, random.Random(1)))
    assert len(asked) == len({q.chunk.id for q in asked}) == 30
    left = asked_in_all = 0
    for question in asked:
        words = set(tokens(question.text))
        assert words <= set(tokens(chunks[question.chunk.ordinal].text))
        left += len(words & set(tokens(question.chunk.text)))
        asked_in_all += len(words)
    assert 0.1 < left / asked_in_all < 0.6


def test_code_is_asked_for_by_its_comments_and_found_without_them() -> None:
    text = (
        'def wait(n):\n    """Pause between two tries of the sender."""\n'
        "    time.sleep(n)  # seconds are what the kernel counts\n    return n"
    )
    found = list(taken_out(text, random.Random(0)))
    assert [sentence for sentence, _ in found] == ["Pause between two tries of the sender.", "seconds are what the kernel counts"]
    said = 'def wait_for_sender(n):\n    """Wait for the sender to answer."""\n    return n'
    asked = {sentence for n in range(40) for sentence, _ in taken_out(said, random.Random(n))}
    assert all("answer." in sentence for sentence in asked) and any("sender" not in sentence for sentence in asked)
    assert all("time.sleep(n)" in rest and "Pause" not in rest and "kernel" not in rest for _, rest in found)


def test_a_question_has_a_questions_length() -> None:
    dice = random.Random(0)
    assert part_of("Too short here", "en", dice) == "" and part_of("太短", "zh", dice) == ""
    assert WORDS[0] <= len(part_of("one two three four five six " * 5, "en", dice).split()) <= WORDS[1]
    assert len(part_of("供应商应当在收到通知之后十五日以内书面答复采购部门，" * 4, "zh", dice)) <= CHARACTERS[1]


def test_the_weight_is_the_middle_of_those_that_cannot_be_told_from_the_best() -> None:
    best = 6
    gains = np.array([[0.9 - 0.1 * abs(n - best) for n in range(len(WEIGHTS))]] * 50)
    assert _choose(gains)["dense_weight"] == WEIGHTS[best]
    flat = np.full((50, len(WEIGHTS)), 0.5)
    assert _choose(flat)["dense_weight"] == 0.5, "where all do as well, neither half is thrown away"


def test_what_is_fitted_is_searched_with(settings: Settings) -> None:
    embedder = open_embedder(settings)
    profile = load_profile("maintenance", settings.root)
    mine = stamp(embedder)
    fitted_file("maintenance", settings).unlink(missing_ok=True)
    assert dense_weight(profile, settings, "en", mine) == UNFITTED
    found = fit("maintenance", settings, embedder)
    assert json.loads(fitted_file("maintenance", settings).read_text()) == fitted("maintenance", settings) == found
    row = found["languages"]["en"]
    assert row["dense_weight"] in WEIGHTS and row["nDCG@10"]["both"] >= max(row["nDCG@10"]["words"], row["nDCG@10"]["meaning"]) - 0.02
    assert dense_weight(profile, settings, "en", mine) == row["dense_weight"]
    assert dense_weight(profile, settings, "en", mine | {"embedder": "another"}) == UNFITTED
    own = profile.model_copy(update={"ingest": profile.ingest.model_copy(update={"dense_weight": 0.9})})
    assert dense_weight(own, settings, "en", mine) == 0.9, "what a profile says goes before"
    assert not wants_fitting(profile, settings, Manifest(settings.root))
    again = fit("maintenance", settings, embedder)
    assert again["languages"] == found["languages"]


def test_a_damaged_file_is_no_file(settings: Settings) -> None:
    file = fitted_file("maintenance", settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    for text in ("{", "[]", '{"languages": 3}', '"x"', "\x00"):
        file.write_text(text)
        os.utime(file, ns=(0, hash(text) % 10**9))
        assert fitted("maintenance", settings) == {}


def test_nothing_indexed_is_a_sentence(settings: Settings) -> None:
    with pytest.raises(UserError, match="Nothing is indexed"):
        fit("nothing-here", settings, open_embedder(settings))


def test_the_command_says_what_it_found(settings: Settings) -> None:
    env = os.environ | {"LECTERN_HOME": str(settings.home), "CHROMA_URL": ""}
    command = [sys.executable, "-m", "ingest", "fit", "code"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "meaning counts" in done.stdout and "English" in done.stdout and (settings.home / "corpora" / "code" / "fitted.json").is_file()
