"""The tables of figures: each uncertainty is told, and they fit a terminal."""

from tests.test_tune_evaluate import outcome
from tune.closed import Choice
from tune.metrics import measure
from tune.overlap import overlap
from tune.tables import report_table


def test_the_tables_tell_each_uncertainty_and_fit_120_columns() -> None:
    rows = [outcome(correct=n % 3 > 0, overlap=overlap("It is red.", "It is red now.", "en"), nll=(9.0, 2),
                    choice=Choice("yes_no" if n % 2 else "values", "no", "no")) for n in range(20)]  # fmt: skip
    figures = measure(rows)
    gain = {"base+rag": {"correctness": {"difference": 0.1, "interval": [0.0, 0.2], "n": 20}}}
    report = {"base": figures, "base+rag": figures, "adapter": "not run", "adapter+rag": {**figures, "gain": gain}, "other+rag": "not run",
              "extractive": measure([outcome()])}  # fmt: skip
    text = report_table(report)
    low, high = figures["interval"]["correctness"]
    assert f"base+rag    0.650 [{low:.3f}, {high:.3f}]" in text and "90.017 [90.017, 90.017]" in text
    assert "perplexity, n 20" in text and "yes or no, n 10: right" in text and "values, n 10: right" in text and "Fewer than 30" in text
    assert any(line.startswith("extractive  0.000") and "–" in line for line in text.splitlines()), "what it does not have"
    assert "adapter     not run" in text and "other+rag" not in text and "adapter+rag against base+rag: correctness +0.100" in text
    assert max(map(len, text.splitlines())) <= 120
    plain = report_table({name: measure([outcome()]) for name in ("base+rag", "extractive")})
    assert "perplexity" not in plain and "yes or no" not in plain
