"""Evaluation: every figure against cases computed by hand, and a whole run against a server whose words are fixed."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpora import UserError
from ingest.fitted import default_mode, keep_modes
from ingest.settings import Settings
from serve.schema import Answer, Citation, Trace
from tests.echo import LIKELY, echo
from tests.plant import CORPUS, HELD_OUT, SILENT, make_plant
from tune.cli import main
from tune.closed import Choice
from tune.evaluate import evaluate, gains, winners
from tune.figures import digits, figures
from tune.gold import Gold, Question, find, letters
from tune.metrics import Outcome, f1, is_correct, measure, question_figures
from tune.overlap import overlap
from tune.systems import SYSTEMS, judged_statements

PLAIN = Outcome(answerable=True, correct=False, refused=False, quoted=False, by_model=(), shown=(), statements=0, unsupported=0)


def outcome(**changes: Any) -> Outcome:
    return replace(PLAIN, **changes)


def test_every_figure_by_hand() -> None:
    figures = measure([
        outcome(correct=True, by_model=(True,), shown=(True,), statements=1),
        outcome(correct=True, by_model=(True, False), shown=(True,), statements=2, unsupported=1),
        outcome(by_model=(False,), shown=(False, True), quoted=True, statements=1),
        outcome(refused=True),  # falsely
        outcome(answerable=False, refused=True),  # rightly
        outcome(answerable=False, by_model=(False,), shown=(False,), statements=1),
    ])  # fmt: skip
    assert figures["correctness"] == 0.5  # 2 of the 4 answerable
    assert figures["citation_precision"] == {"model": 0.5, "shown": 0.75}  # 2 of 4, 3 of 4; unanswerable ones do not count
    assert figures["citation_recall"] == {"model": 0.5, "shown": 0.75}  # 2 and 3 of the 4 answerable
    assert figures["citation_f1"] == {"model": 0.5, "shown": 0.75}
    assert (figures["refusal_precision"], figures["refusal_recall"], figures["refusal_f1"]) == (0.5, 0.5, 0.5)
    assert figures["false_refusal"] == 0.25
    assert figures["unsupported"] == 0.2  # 1 of 5 statements
    assert figures["quoted"] == round(1 / 6, 4)
    assert figures["n"] == 6
    low, high = figures["interval"]["correctness"]
    assert 0 <= low <= 0.5 <= high <= 1 and low < high
    assert set(figures["interval"]) > {"citation_f1.model", "citation_f1.shown", "refusal_f1"}


def test_nothing_to_share_is_nought() -> None:
    figures = measure([outcome(refused=True)])
    assert figures["citation_precision"] == {"model": 0.0, "shown": 0.0} and figures["refusal_recall"] == 0.0
    assert f1(0.0, 0.0) == 0.0 and f1(1.0, 0.5) == 0.6667


def test_wording_classes_and_perplexity_are_of_the_questions_that_have_them() -> None:
    same, other = overlap("Grease it weekly with oil.", "Grease it weekly with oil.", "en"), overlap("Grease it.", "No idea at all.", "en")
    rows = [
        outcome(correct=True, overlap=same, choice=Choice("yes_no", "no", "no"), nll=(2.0, 4)),
        outcome(overlap=other, choice=Choice("yes_no", "yes", "")),
        outcome(overlap=same, nll=(1.0, 1)),
        outcome(answerable=False),
    ]
    figures = measure(rows)
    assert figures["rouge_l"] == round(2 / 3, 4) and 0.6 < figures["bleu"] < 1
    assert figures["accuracy"] == {"yes_no": 0.5} and figures["macro_f1"] == {"yes_no": 0.5}
    assert figures["perplexity"] == round(math.exp(3 / 5), 4), "over all tokens at once"
    assert figures["n"] == 4 and figures["n_of"] == {"yes_no": 2, "perplexity": 2}
    assert {"bleu", "rouge_l", "perplexity", "accuracy.yes_no", "macro_f1.yes_no"} <= set(figures["interval"])
    assert "perplexity" not in measure(rows[1:2]) and "accuracy" not in measure(rows[2:]), "a figure of none is not told"
    assert question_figures(rows[0])["log_perplexity"] == 0.5 and question_figures(rows[0])["accuracy.yes_no"] == 1.0
    assert "perplexity" not in gains([outcome(nll=(2.0, 4))], [outcome()]), "nor is its gain"
    assert gains(rows[:1], [replace(rows[0], nll=(1.0, 4))])["log_perplexity"]["difference"] == -0.25


@pytest.mark.parametrize(
    ("gold", "said", "right"),
    [
        ("60.4 kW.", "The cooling capacity is 60.4 kW.", True),
        ("60.4 kW.", "The cooling capacity is 64.0 kW.", False),
        ("No, the slope is 0° to 10°.", "The permitted tray slope is 0° to 10°.", True),
        ("Riveted to the left-hand side plate.", "The rating plate is riveted to the left-hand side plate.", True),
        ("Riveted to the left-hand side plate.", "The rating plate names the serial number.", False),
        ("BackoffPolicy.compute_delay", "compute_delay of BackoffPolicy decides it.", True),
        ("每面22行，每行28个字", "正文以每面22行、每行28个字为准。", True),
        ("每面22行，每行28个字", "正文以每面20行、每行28个字为准。", False),
        ("Within two weeks.", "It is delivered within 14 days.", True),
        ("10 kΩ.", "Sensors B1, B2: 10 kΩ at 25 °C", True),
        ("400 psi.", "It opens at 400 kPa.", False),
        ("DN 65 (DN 50 only for runs up to 40 m).", "Use pipes of at least DN 50 for runs up to 40 m, and DN 65 beyond.", True),
        ("4.2 bar.", "word " * 200 + "low pressure cut-out 4.2 bar", False),  # pasting everything does not answer
    ],
)
def test_correct_is_every_figure_and_enough_words(gold: str, said: str, right: bool) -> None:
    assert is_correct(gold, said) is right


def test_figures_have_one_shape() -> None:
    assert figures("45 N·m") == figures("45N·m") == figures("４５ Nm") == {(45, "torque")}
    assert figures("1,200 h") == figures("1200 h") and figures("from 3 to 5 bar") == {(3e5, "pressure"), (5e5, "pressure")}
    assert figures("One of them is greased every day.") == set()
    assert digits("CP-80: 45 Nm, ５ kg each day, two litres") == [(7, 9), (14, 15)] and digits("㎡: 45 Nm") == []


def test_a_quote_is_found_whatever_its_blanks_and_bars() -> None:
    text = "Data\n\nItem | Value\n\nTotal mass,  with frame | 515 kg\n\nTotal mass, with frame: 515 kg"
    places = find("Total mass, with frame | 515 kg", letters(text))
    assert [text[a:b] for a, b in places] == ["Total mass,  with frame | 515 kg", "Total mass, with frame: 515 kg"]
    assert find("515 g", letters(text)) == () == find("", letters(text))


def citation(marker: int, quote: str) -> Citation:
    return Citation(marker=marker, chunk_id="v:0", document="d", version="v", page=None, start=0, end=1, quote=quote,
                    support="supported", by="model")  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "counts"),
    [
        ("The mass is 515 kg. [1]", (1, 0)),
        ("The mass is 600 kg. [1]", (1, 1)),
        ("The mass is 515 kg. [1] It is painted green.", (2, 1)),
        ("The mass is 515 kg. [1] The tray is 12 mm thick. [2]", (2, 0)),
        ("Mass: 515 kg with frame. Tray: 12 mm. [1] [2]", (1, 1)),  # one statement, which neither quote supports whole
        ("", (0, 0)),
    ],
)
def test_statements_end_in_their_markers(answer: str, counts: tuple[int, int]) -> None:
    cited = [citation(1, "The mass is 515 kg."), citation(2, "The tray is 12 mm thick.")]
    trace = Trace(id="t", corpus="c", question="q", standalone="q", hits=[{"chunk_id": "v:0", "context": "Data"}], prompt=[], raw="",
                  answer=Answer(answer=answer, citations=cited), created="")  # fmt: skip
    assert judged_statements(trace) == counts


QUESTIONS = [
    ("What does fault QX-E77 on the QX-9 mixer mean?", "Shaft speed below 31 rpm", "QX-E77 | Shaft speed below 31 rpm"),
    ("How much may be filled into the drum of the QX-9 mixer?", "415 L", "may be filled to 415 L of dry goods"),
    ("Which oil goes into the gear of the QX-9 mixer?", None, None),
]


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_plant(home, tmp_path_factory.mktemp("plant"))
    rows = [{"id": f"q{n}", "question": q, "answerable": a is not None, "answer": a, "document": HELD_OUT, "quote": quote, "lang": "en",
             "split": "heldout"} for n, (q, a, quote) in enumerate(QUESTIONS)]  # fmt: skip
    seen = {**rows[0], "id": "seen", "split": "seen"}
    zh = {**rows[0], "id": "zh", "lang": "zh", "question": "QX-E77是什么意思？"}
    file = settings.root / "corpora" / CORPUS / "questions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, seen, zh]))
    return settings


def test_a_whole_run_through_servings_chain(settings: Settings) -> None:
    settings.run.mkdir(exist_ok=True)
    with echo("QX-E77 means: shaft speed below 31 rpm. [1]") as (url, seen):
        (settings.run / "vllm.url").write_text(url)
        report, file = evaluate(settings, CORPUS, None, None, None, 0, SILENT)
    assert tuple(report) == SYSTEMS and report["adapter"] == report["adapter+rag"] == "not run", "no adapter is published"
    assert all(report[name]["n"] == 3 for name in ("base", "base+rag", "extractive")), "held out, and in a language that is read"
    assert report["base"]["correctness"] == 0.5 and report["base"]["citation_f1"] == {"model": 0.0, "shown": 0.0}
    assert report["base"]["unsupported"] == 1.0, "by heart, without a passage"
    rag = report["base+rag"]
    assert rag["correctness"] >= 0.5 and rag["citation_recall"]["model"] >= 0.5 and rag["unsupported"] == 0.0
    assert report["extractive"]["correctness"] == 1.0 and report["extractive"]["citation_recall"]["shown"] == 1.0
    assert report["extractive"]["citation_recall"]["model"] == 0.0 and report["extractive"]["quoted"] > 0.5
    assert rag["perplexity"] == round(math.exp(-LIKELY), 4) and rag["n_of"] == {"perplexity": 2}, "where the gold passage was shown"
    assert not any("perplexity" in report[name] for name in ("base", "extractive"))
    assert all(0 < report[name][figure] < 1 for name in ("base", "base+rag", "extractive") for figure in ("bleu", "rouge_l"))
    written = json.loads(file.read_text())
    assert written["systems"] == report and [q["id"] for q in written["questions"]] == ["q0", "q1", "q2"]
    assert set(written["questions"][0]["answers"]) == {"base", "base+rag", "extractive"}
    asked = [request["messages"][1]["content"] for request in seen if "messages" in request]
    assert any(len(question) < 100 for question in asked), "closed book: the question alone"


def test_a_language_that_the_base_does_not_read_is_quoted_only(settings: Settings) -> None:
    (settings.run / "vllm.url").unlink(missing_ok=True)
    report, _ = evaluate(settings, CORPUS, None, None, "zh", 0, SILENT)
    assert all(report[name] == "not run" for name in SYSTEMS[:5]) and report["extractive"]["n"] == 1


def test_for_a_machine_questions_and_changes_are_data(settings: Settings, monkeypatch: pytest.MonkeyPatch,
                                                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    (settings.run / "vllm.url").unlink(missing_ok=True)
    for name, value in (("HOME", str(settings.root)), ("VLLM_PORT", "1"), ("TIER", "cpu")):
        monkeypatch.setenv(f"LECTERN_{name}", value)
    _, file = evaluate(settings, CORPUS, None, None, "zh", 0, SILENT)
    earlier = json.loads(file.read_text())
    for answer in earlier["questions"][0]["answers"].values():
        answer["correct"] = not answer["correct"]
    then = settings.root / "earlier.json"
    then.write_text(json.dumps(earlier))
    assert main(["eval", CORPUS, "--lang", "zh", "--json", "--side-by-side", "3", "--against", str(then)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {*SYSTEMS, "compared", "changed", "side_by_side"}
    assert [(row["id"], list(row["answers"])) for row in told["side_by_side"]] == [("zh", ["extractive"])]
    assert sorted(told["changed"]["extractive"].values()) == [[], ["zh"]]
    assert main(["eval", CORPUS, "--lang", "zh", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(SYSTEMS), "nothing but the systems, unless it is asked for"
    assert main(["eval", "--beir", str(settings.root), "--side-by-side", "3"]) == 2
    assert "goes with an assistant" in capsys.readouterr().err


def test_without_the_model_server_one_sentence_and_the_next_command(settings: Settings, monkeypatch: pytest.MonkeyPatch,
                                                                    capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    (settings.run / "vllm.url").unlink(missing_ok=True)
    with pytest.raises(UserError, match="make up"):
        evaluate(settings, CORPUS, None, None, None, 0, SILENT)
    for name, value in (("HOME", str(settings.root)), ("VLLM_PORT", "1"), ("TIER", "cpu")):
        monkeypatch.setenv(f"LECTERN_{name}", value)
    assert main(["eval", CORPUS]) == 2
    assert "Measuring needs the model server" in capsys.readouterr().err


def test_a_bad_line_of_questions_is_named(settings: Settings) -> None:
    file = settings.root / "corpora" / CORPUS / "questions.jsonl"
    text = file.read_text()
    try:
        file.write_text(text + '{"id": "x"}\n')
        with pytest.raises(UserError, match=r"questions\.jsonl: line 6 has no question, answerable"):
            evaluate(settings, CORPUS, None, None, None, 0, SILENT)
    finally:
        file.write_text(text)


def test_the_mode_that_answers_better_is_the_default(tmp_path: Path) -> None:
    right, wrong = outcome(correct=True), outcome()
    questions = [Gold(Question(id=str(n), question="q", answerable=True, answer="a", document="d", quote="q", lang="en", split="heldout"),
                      "v", ()) for n in range(30)]  # fmt: skip
    assert winners(questions[:29], {"base+rag": [right] * 29, "extractive": [wrong] * 29}, None) == {}
    won = winners(questions, {"base+rag": [right] * 20 + [wrong] * 10, "extractive": [right] * 20 + [wrong] * 10}, None)
    assert won["en"]["mode"] == "extractive", "a tie is quoting's"
    won = winners(questions, {"base+rag": [right] * 9 + [wrong] * 21, "adapter+rag": [right] * 30, "extractive": [right] * 29 + [wrong]}, 3)
    assert won == {"en": {"mode": "model", "questions": 30, "correct": {"adapter+rag": 30, "extractive": 29}}}
    settings = Settings(home=tmp_path)
    assert default_mode("maintenance", settings, "en", "pumps-v3") == ""
    keep_modes("maintenance", settings, "pumps-v2", {"en": {"mode": "extractive"}})
    keep_modes("maintenance", settings, "pumps-v3", won)
    assert default_mode("maintenance", settings, "en", "pumps-v2") == "extractive", "what others were found to be stays"
    assert default_mode("maintenance", settings, "en", "pumps-v3") == "model"
    assert default_mode("maintenance", settings, "en", "pumps-v4") == "" == default_mode("maintenance", settings, "zh", "pumps-v3")


def test_a_gain_is_paired_and_has_an_interval() -> None:
    right, wrong, refused = outcome(correct=True), outcome(), outcome(answerable=False, refused=True)
    found = gains([right] * 10 + [wrong] * 20 + [refused], [right] * 25 + [wrong] * 5 + [refused])
    assert found["correctness"]["difference"] == 0.5 and found["correctness"]["n"] == 30
    low, high = found["correctness"]["interval"]
    assert 0.2 < low < 0.5 < high < 0.8
    assert found["refusal_recall"] == {"difference": 0.0, "interval": [0.0, 0.0], "n": 1}
