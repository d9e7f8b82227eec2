"""The citation check: what passes, what does not, and which span is chosen."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.schema import Chunk, Hit
from serve.check import check
from serve.cite import MARKER, STRUCK, best_span, cited, inert, markers, spans, struck
from serve.prompt import disarm
from serve.sentences import complete_sentences

SPAN = "Tighten the cover bolts M10 of the CP-80 to 45 N·m in two passes. Do not reuse the gasket."
TITLE = "CP-80 Centrifugal Pump › 6 Torques"


def hit(text: str, context: str = TITLE, rank: int = 1) -> Hit:
    return Hit(rank, 1.0, Chunk("v" * 16, rank, text, 0, len(text), None, context), "cp-80.md")


@pytest.mark.parametrize(
    ("sentence", "support"),
    [
        ("The cover bolts M10 are tightened to 45 N·m.", "supported"),
        ("Tighten the M10 cover bolts to 45 Nm in two passes.", "supported"),
        ("The cover bolts M10 are tightened to 54 N·m.", "unsupported"),  # another number
        ("The cover bolts M10 are tightened to 45 bar.", "unsupported"),  # another unit
        ("The cover bolts M12 are tightened to 45 N·m.", "unsupported"),  # another code
        ("On the SC-40 the cover bolts are tightened to 45 N·m.", "unsupported"),  # another machine
        ("Do not tighten the cover bolts M10 to 45 N·m.", "unsupported"),
        ("Tighten the cover bolts to 45 N·m in three passes.", "unsupported"),
        ("The pump is painted blue and stands in the yard.", "unsupported"),
        ("Siemens tightens the cover bolts M10 to 45 N·m.", "supported"),
    ],
)
def test_check(sentence: str, support: str) -> None:
    span = SPAN.split(". ")[0] + "."
    said = check(sentence, span, TITLE).support
    if sentence.startswith("Do not"):
        assert said != "supported"
    elif sentence.startswith("Siemens"):
        assert check("The bolts of Siemens are tightened to 45 N·m.", span, TITLE).support == "unsupported"
    else:
        assert said == support


@pytest.mark.parametrize(
    ("sentence", "support"),
    [
        ("滤芯每3个月更换一次。", "supported"),
        ("滤芯每6个月更换一次。", "unsupported"),
        ("滤芯每3天更换一次。", "unsupported"),
        ("滤芯不需要每3个月更换。", "unsupported"),
        ("电机功率由客户选定。", "unsupported"),
    ],
)
def test_check_chinese(sentence: str, support: str) -> None:
    assert check(sentence, "滤芯每3个月更换一次，并做记录。").support == support


def test_a_bare_figure_is_not_supported() -> None:
    assert (
        check("The answer is: 185 mm.", "Free length, new spring | 185 mm", "VF-30 Feeder › 2.2 Springs").support != "supported"
    )
    assert check("The free length of a new spring is 185 mm.", "Free length, new spring | 185 mm").support == "supported"


def test_what_a_sentence_adds_is_not_supported() -> None:
    row, context = "SC-A04 | Fan motor overload | Duct blocked", "SC-40 Screw Compressor › 9 Faults: Code | Meaning | Likely cause"
    assert check("The fault code SC-A04 means a fan motor overload.", row, context).support == "supported"
    added = "The fault code SC-A04 on the SC-40 compressor means that the fan motor is overloaded, a mechanical failure."
    assert check(added, row, context).support != "supported"
    assert check("The likely cause of fault SC-A04 is a malfunctioning fan motor.", row, context).support != "supported"


@pytest.mark.parametrize(
    ("sentence", "span"),
    [
        ("乙方应当在十日内向甲方付款。", "甲方应当在十日内向乙方付款。"),
        ("员工可以在三十日内提出申请。", "员工应当在三十日内提出申请。"),
        ("试用期最短六个月。", "试用期最长六个月。"),
        ("违约金为合同总额的百分之五。", "违约金为合同总额的百分之十。"),
        ("罚款五万元。", "罚款五元。"),
        ("罚款500亿元。", "罚款500万元。"),
        ("The fee for the seat is $500.", "The fee for the seat is €500."),
        ("The valve opens before the pump.", "The valve opens after the pump."),
        ("The load is at most 5 bar here.", "The load is at least 5 bar here."),
    ],
)
def test_an_opposite_another_amount_or_another_party_is_not_supported(sentence: str, span: str) -> None:
    assert check(sentence, span).support != "supported" and check(span, span).support == "supported"


@given(st.sampled_from(["45 N·m", "1,200 h", "−15 °C", "3个月", "0.5 %", "7 bar"]), st.sampled_from("123456789"))
def test_a_changed_digit_never_passes(figure: str, digit: str) -> None:
    span = f"The valve is set to {figure} at the works."
    at = next(i for i, c in enumerate(figure) if c.isdigit())
    changed = figure[:at] + digit + figure[at + 1 :]
    said = check(f"The valve is set to {changed} at the works.", span).support
    assert said == ("supported" if changed == figure else "unsupported")


def test_markers_are_read_and_taken_out() -> None:
    assert markers("It is 45 N·m [1][2, 3]. ") == ("It is 45 N·m.", [1, 2, 3])
    assert markers("是45牛米【2】。") == ("是45牛米。", [2])


def test_a_models_marker_stands_only_on_the_passage_it_names() -> None:
    right, wrong = hit(SPAN, rank=1), hit("The pump delivers 80 m³/h.", rank=2)
    words, found = cited("The cover bolts M10 are tightened to 45 N·m. [1]", [right, wrong], lambda t: 1.0)
    assert words == "The cover bolts M10 are tightened to 45 N·m." and [f[2] for f in found] == ["model"]
    _, found = cited("The cover bolts M10 are tightened to 45 N·m. [2]", [right, wrong], lambda t: 1.0)
    assert [(f[0].hit.rank, f[2]) for f in found] == [(1, "attached")], (
        "a wrong marker is dropped; the right span is attached as ours"
    )
    assert cited("The cover bolts M10 are tightened to 46 N·m. [1]", [right, wrong], lambda t: 1.0)[1] == []
    assert cited("The pump delivers 80 m³/h. [7]", [right], lambda t: 1.0)[1] == []
    assert cited("To how many N·m are the cover bolts M10 tightened, 45 N·m? [1]", [right], lambda t: 1.0)[1] == []


@given(st.text(alphabet="ab .。\n1|", max_size=120), st.text(alphabet="ab .1", min_size=1, max_size=40))
def test_spans_are_verbatim(text: str, sentence: str) -> None:
    for span in spans(hit(text)):
        assert span.text == text[span.start : span.end] and span.text.strip() == span.text
    best = best_span(sentence, [hit(text)])
    assert best is None or best[0].text in text


@given(st.text(alphabet="aB 。.[1]2\n", max_size=80), st.integers(1, 7))
def test_a_stream_in_any_pieces_gives_the_same_sentences(text: str, size: int) -> None:
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    streamed = list(complete_sentences(iter(pieces)))
    assert "".join("".join(streamed).split()) == "".join(text.split())
    assert [s.strip() for s in streamed] == [s.strip() for s in complete_sentences(iter([text]))]


def test_a_document_cannot_close_its_turn() -> None:
    assert "<|im_end|>" not in disarm("a<|im_end|>b") and "[/INST]" not in disarm("[/INST]")


def test_a_documents_own_brackets_are_no_markers_of_ours() -> None:
    shown = inert("It is 90 days [1][2], see【3】; buffer[1] = 0")
    assert not MARKER.search(shown) and shown.replace("\u2060", "") == "It is 90 days [1][2], see【3】; buffer[1] = 0"


@pytest.mark.parametrize("text", ["[1]", "【1†source】", "［1］", "[^1]", "[1-3]", "[ 12 ]", "[1 2]"])
def test_what_looks_like_a_marker_is_broken(text: str) -> None:
    assert re.search(r"[\[【［]\s*\^?\s*\d", inert(f"It runs {text}.")) is None


@given(st.text(st.sampled_from("a~ `[1]"), max_size=20))
def test_a_struck_sentence_is_one_run_of_strokes(text: str) -> None:
    shown = struck(f"x{text}x")
    assert "~~~" not in shown and shown.count("~~") == 2 and STRUCK.sub("", f"{shown} It stands.") == " It stands."
