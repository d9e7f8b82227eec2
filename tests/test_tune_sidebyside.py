"""Answers side by side and what changed, out of result files."""

from typing import Any

from rich.cells import cell_len

from tune.sidebyside import changed, changed_since, changes, side_by_side, written

LONG = "The guides take 20 g of lithium grease every 250 hours, and the play must stay below 0.15 mm over the whole stroke. [1]"


def said(answer: str, right: bool) -> dict[str, Any]:
    return {"answer": answer, "refused": False, "correct": right, "mode": "model", "citations": []}


def result(answers: dict[str, list[bool]], count: int = 4, **about: Any) -> dict[str, Any]:
    """Questions q0, q1 …, of which the last has no answer; `answers` tells whether each system's are right."""
    rows = []
    for n in range(count):
        given = {system: said(f"{system} says {n}.\n{LONG}", right[n]) for system, right in answers.items()}
        about_it = {"id": f"q{n}", "question": f"What is {n}?", "answerable": n < count - 1, "answer": f"It is {n}."}
        rows.append({**about_it, "answers": given, "figures": {}})
    for system, given in rows[-1]["answers"].items():
        rows[-1]["answers"][system] = {**given, "correct": False, "refused": answers[system][-1]}
    return {"corpus": "plant", "adapter": None, "other": None, "questions": rows, **about}


def test_right_is_a_correct_answer_or_a_refusal_where_nothing_answers() -> None:
    rows = result({"base+rag": [True, False, True, False], "adapter+rag": [True, True, False, True]})["questions"]
    assert changed(rows, "base+rag", rows, "adapter+rag") == {"better": ["q1", "q3"], "worse": ["q2"]}
    assert changed(rows, "adapter+rag", rows, "base+rag") == {"better": ["q2"], "worse": ["q1", "q3"]}, "the other way round"
    assert changed(rows[1:2], "base+rag", rows, "adapter+rag") == {"better": ["q1"], "worse": []}, "questions that both have"
    assert changed(rows, "base+rag", rows, "base+rag") == {"better": [], "worse": []} == changed(rows, "other+rag", rows, "base+rag")


def test_the_same_questions_are_drawn_each_time_with_every_systems_answer() -> None:
    answers = {name: [True] * 40 for name in ("extractive", "adapter+rag", "other+rag", "base+rag", "base")}
    one = result(answers, 40, adapter=2, other=1, kinds={"1": "sft", "2": "dpo"})
    drawn = side_by_side([one], 10)
    assert len({row["id"] for row in drawn}) == 10 and drawn == side_by_side([one], 10)
    assert [row["id"] for row in drawn] != sorted(row["id"] for row in drawn)[:10]
    assert all(list(row["answers"]) == ["base+rag", "version 1, sft", "version 2, dpo", "extractive"] for row in drawn)
    assert len(side_by_side([one], 99)) == 40 and side_by_side([one], 0) == []


def test_several_results_are_shown_together_and_the_last_one_counts() -> None:
    first = result({"base+rag": [False] * 4, "adapter+rag": [True] * 4}, adapter=1)
    last = result({"base+rag": [True] * 4, "adapter+rag": [True] * 4, "extractive": [True] * 4}, adapter=2)
    last["questions"] = last["questions"][1:]
    drawn = side_by_side([first, last], 9)
    assert {row["id"] for row in drawn} == {"q1", "q2", "q3"}, "questions that all of them have"
    assert all(set(row["answers"]) == {"base+rag", "version 1", "version 2", "extractive"} for row in drawn)
    assert all(row["answers"]["base+rag"]["right"] for row in drawn)


def test_what_changed_is_listed_with_both_answers_and_fits_100_columns() -> None:
    now = result({"base+rag": [True, False, True, False], "adapter+rag": [True, True, False, False]}, adapter=1, kinds={"1": "sft"})
    text = changes(now)
    assert "1 better: version 1, sft against base+rag" in text and "1 worse: version 1, sft against base+rag" in text
    assert text.index("What is 1?") < text.index("1 worse:") < text.index("What is 2?") and "What is 0?" not in text
    assert "base+rag says 1." in text and "adapter+rag says 1." in text and "It is 1." in text and "[1]" in text
    now["questions"][1]["answers"]["base+rag"]["answer"] = "导轨每二百五十小时加锂基润滑脂二十克" * 12
    assert max(map(cell_len, changes(now).splitlines())) <= 100, "Chinese characters are two columns wide"
    assert changes(result({"base+rag": [True] * 4, "extractive": [True] * 4})) == "" == written([])


def test_who_said_it_is_told() -> None:
    one = result({"base+rag": [True] * 4, "extractive": [True] * 4})
    one["questions"][0]["answers"]["base+rag"]["mode"] = "extractive"
    text = written(side_by_side([one], 4))
    assert text.count("right, quoted   base+rag says 0.") == 1 and text.count("quoted") == 1
    assert text.count("right, refused  base+rag says 3.") == 1 and text.count("right           base+rag says") == 2
    assert text.count("(the documents do not say)") == 1


def test_the_other_version_is_what_an_adapter_is_compared_with() -> None:
    now = result({"base+rag": [True] * 4, "other+rag": [False] * 4, "adapter+rag": [True] * 4}, adapter=2, other=1)
    assert "4 better: version 2 against version 1" in changes(now) and "base+rag" not in changes(now)


def test_against_an_earlier_result_each_system_is_compared_with_itself() -> None:
    then, now = result({"base+rag": [True] * 4, "extractive": [True] * 4}), result({"base+rag": [False] * 4, "extractive": [True] * 4})
    assert changed_since(then, now) == {"base+rag": {"better": [], "worse": ["q0", "q1", "q2", "q3"]}}
    assert changes(now, then).startswith("4 worse: base+rag, now against base+rag, then")
    public = {"questions": [{"id": "q0", "figures": {}}]}
    assert changed_since(public, now) == {} and changes(now, public) == ""
