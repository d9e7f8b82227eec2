"""Profiles: read strictly, every mistake at once, found by name alone."""

from pathlib import Path

import pytest

from corpora import UserError, load_profile, profile_names, read_profile
from corpora.profile import SHIPPED

SOUND = "title: Recipes\ndescription: What we cook.\nlanguages: [en]\n"


def write(home: Path, name: str, text: str = SOUND) -> Path:
    path = home / "corpora" / name / "profile.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profile_loads_and_its_sources_are_there(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name and profile.folder == SHIPPED / name
    assert profile.sources and all(source.exists() for source in profile.sources)
    assert profile.questions.is_file() and profile.serve.examples


def test_a_profile_needs_little_and_defaults_fill_the_rest(tmp_path: Path) -> None:
    profile = read_profile(write(tmp_path, "recipes"))
    assert (profile.name, profile.title, profile.languages) == ("recipes", "Recipes", ["en"])
    assert profile.sources == [(tmp_path / "corpora" / "recipes" / "documents").resolve()]
    assert profile.tune.held_out == [] and profile.serve.mode == "auto"


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("colour: red", "colour"),
        ("serve: {colour: red}", "serve.colour"),
        ("ingest: {chunk_size: 9}", "ingest.chunk_size"),
        ("serve: {sampling: {min_p: 0.1}}", "serve.sampling.min_p"),
    ],
)
def test_unknown_key_is_refused_with_its_place(line: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_profile(write(tmp_path, "recipes", f"{SOUND}{line}\n"))
    assert f"1 mistake: {place}: " in caught.value.message and caught.value.next_step


def test_all_mistakes_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    text = "description: What we cook.\nlanguages: [en, fr]\ncolour: red\ningest: {chunk_tokens: 1}\ntune: {rank: 128}\n"
    with pytest.raises(UserError) as caught:
        read_profile(write(tmp_path, "recipes", text))
    assert "5 mistakes" in caught.value.message
    for place in ("title: ", "languages.1: ", "colour: ", "ingest.chunk_tokens: ", "tune.rank: "):
        assert place in caught.value.message


@pytest.mark.parametrize(
    "line",
    ["temperature: -0.1", "temperature: 2.1", "top_p: 0", "top_p: 1.1", "top_k: 0", "repetition_penalty: 0.9", "seed: -1"],
)
def test_sampling_keeps_its_bounds(line: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"1 mistake: serve\.sampling\.{line.split(':')[0]}: "):
        read_profile(write(tmp_path, "recipes", f"{SOUND}serve: {{sampling: {{{line}}}}}\n"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("title: [", "is no YAML"), ("", "holds no settings"), ("- title\n", "holds no settings")],
)
def test_a_file_that_holds_no_settings_is_refused_in_a_sentence(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        read_profile(write(tmp_path, "recipes", text))
    assert "\n" not in str(caught.value) and caught.value.next_step


def test_tags_that_would_run_code_are_refused(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    text = f"{SOUND}system: !!python/object/apply:os.mkdir ['{mark}']\n"
    with pytest.raises(UserError, match="is no YAML"):
        read_profile(write(tmp_path, "recipes", text))
    assert not mark.exists()


def test_unknown_corpus_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, "recipes")
    with pytest.raises(UserError) as caught:
        load_profile("legall", tmp_path)
    assert caught.value.message == "No corpus 'legall'. Known: code, legal, maintenance, official, recipes."
    assert "ingest list" in caught.value.next_step


def test_a_corpus_of_the_home_hides_the_shipped_one(tmp_path: Path) -> None:
    write(tmp_path, "legal")
    assert load_profile("legal", tmp_path).title == "Recipes"
    assert load_profile("legal").title != "Recipes"
    assert load_profile("code", tmp_path).folder == SHIPPED / "code"
    assert profile_names(tmp_path).count("legal") == 1


@pytest.mark.parametrize(
    "name", ["../x", "x/../recipes", "..", "/x", "recipes/", "./recipes", "Recipes", "recipes\n", "", "r" * 41]
)
def test_a_name_that_is_a_path_or_out_of_shape_is_refused(name: str, tmp_path: Path) -> None:
    write(tmp_path, "recipes")
    write(tmp_path, "x")
    for folder in (tmp_path / "x", tmp_path / "corpora" / "Recipes", tmp_path / "corpora" / ("r" * 41)):
        folder.mkdir()
        (folder / "profile.yaml").write_text(SOUND, encoding="utf-8")
    with pytest.raises(UserError, match="No corpus"):
        load_profile(name, tmp_path)
