"""The figures of an evaluation as people read them: tables at most 120 columns wide.  Run: tune eval maintenance"""

from collections.abc import Mapping, Sequence
from typing import Any

FEW = 30  # questions under which a table of figures says so


def report_table(report: Mapping[str, Any]) -> str:
    """Of a corpus: each system's figures, those that decide with their 95 % intervals; then wording and classes, then gains."""
    lines = []
    measured = {name: figures for name, figures in report.items() if isinstance(figures, dict)}
    if any(figures["n"] < FEW for figures in measured.values()):
        lines.append(f"Fewer than {FEW} questions prove little: one more or less moves every figure by several points.")
    lines += [
        f"{'':12}{'correct':22}{'citation F1: model':22}{'shown':22}{'refusal':>8}{'false':>9}{'unsup-':>8}{'quoted':>8}{'ques-':>7}",
        f"{'':78}{'F1':>8}{'refusal':>9}{'ported':>8}{'':8}{'tions':>7}",
    ]
    for name, figures in report.items():
        if name in measured:
            first = "".join(f"{with_interval(figures, of):22}" for of in ("correctness", "citation_f1.model", "citation_f1.shown"))
            lines.append(f"{name:12}{first}{figures['refusal_f1']:8.3f}{figures['false_refusal']:9.3f}{figures['unsupported']:8.3f}"
                         f"{figures['quoted']:8.3f}{figures['n']:7}")  # fmt: skip
        elif name != "other+rag":
            lines.append(f"{name:12}{figures}")
    return "\n".join([*lines, "", *_wording(measured), *_gains(measured.get("adapter+rag", {}))]) + "\n"


def with_interval(figures: Mapping[str, Any], name: str) -> str:
    """A figure by its flat name, with its 95 % interval; a dash where it was not measured."""
    first, _, by = name.partition(".")
    value = figures.get(first)
    value = value.get(by) if isinstance(value, dict) else value
    if value is None:
        return "–"
    low, high = figures["interval"][name]
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _wording(measured: Mapping[str, Any]) -> list[str]:
    """BLEU, ROUGE-L and perplexity against the gold answers; of closed answers the share of right classes and macro-F1."""
    n_of = {kind: n for figures in measured.values() for kind, n in figures["n_of"].items()}
    wording = [("BLEU", "bleu"), ("ROUGE-L", "rouge_l")]
    if "perplexity" in n_of:
        wording.append((f"perplexity, n {n_of['perplexity']}", "perplexity"))
    classes = []
    for kind, title in (("yes_no", "yes or no"), ("values", "values")):
        if kind in n_of:
            classes += [(f"{title}, n {n_of[kind]}: right", f"accuracy.{kind}"), ("macro-F1", f"macro_f1.{kind}")]
    return [line for columns in (wording, classes) if columns for line in (*_block(columns, measured), "")]


def _block(columns: Sequence[tuple[str, str]], measured: Mapping[str, Any]) -> list[str]:
    lines = [f"{'':12}" + "".join(f"{title:26}" for title, _ in columns)]
    lines += [f"{name:12}" + "".join(f"{with_interval(figures, of):26}" for _, of in columns) for name, figures in measured.items()]
    return [line.rstrip() for line in lines]


def _gains(adapter: Mapping[str, Any]) -> list[str]:
    return [f"adapter+rag against {rival}: {name} {_gain(row)}" for rival, gains in adapter.get("gain", {}).items()
            for name, row in gains.items()]  # fmt: skip


def comparison_table(compared: Mapping[str, Any]) -> str:
    """Of two results, question by question: each system's figures then and now, and the gain with its interval."""
    return "".join(f"{system:12} {name:24} {row['then']:.3f} → {row['now']:.3f}  {_gain(row)}\n"
                   for system, figures in compared.items() for name, row in figures.items())  # fmt: skip


def _gain(row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    return f"{row['difference']:+.3f} [{low:+.3f}, {high:+.3f}]  n {row['n']}"


def search_table(report: Mapping[str, Any]) -> str:
    """Of --beir."""
    names = list(next(iter(report.values())))
    lines = [f"{'':8}" + "".join(f"{name:>11}" for name in names)]
    lines += [f"{system:8}" + "".join(f"{figures[name]:>11.4f}" if name != "n_queries" else f"{figures[name]:>11}" for name in names)
              for system, figures in report.items()]  # fmt: skip
    return "\n".join(lines) + "\n"


def rows_table(report: Mapping[str, Any]) -> str:
    """Of --qa."""
    return "".join(f"{lang}  n {figures['n']}  {'  '.join(f'{name} {with_interval(figures, name)}' for name in figures['interval'])}\n"
                   for lang, figures in report.items())  # fmt: skip
