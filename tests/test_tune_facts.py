"""Facts: what the templates ask of tables, clauses and sentences, and that the document proves each answer."""

import pytest

from ingest.schema import Chunk
from serve.check import check
from tune.facts import Fact, Source, facts_of
from tune.facts.figure import gap_of
from tune.facts.subject import subject_of
from tune.facts.table import header_of


def facts(title: str, *chunks: tuple[str, str], lang: str = "en", suffix: str = ".md") -> list[Fact]:
    made, at = [], 0
    for n, (context, text) in enumerate(chunks):
        made.append(Chunk("v", n, text, at, at + len(text), None, context))
        at += len(text)
    return list(facts_of(Source("manual.md", title, lang, suffix), made, seed=0))


TORQUES = "FK-3 Fan: Manual › 2 Torques: Joint | Size | Torque"


def test_a_row_is_asked_for_each_of_its_cells_and_proves_the_answer() -> None:
    found = facts("FK-3 Fan: Manual", (TORQUES, "Impeller hub | M10 | 44 N·m\n"), (TORQUES, "Motor rail | M12 | 72 N·m"))
    assert {f.answer for f in found} == {
        "The size of impeller hub is M10.", "The torque of impeller hub is 44 N·m.",
        "The size of motor rail is M12.", "The torque of motor rail is 72 N·m.",
    }  # fmt: skip
    for fact in found:
        assert check(fact.answer, fact.quote, fact.chunk.context).support == "supported"
        assert "FK-3" in fact.question


def test_a_key_that_two_rows_share_is_not_asked_for() -> None:
    found = facts("FK-3 Fan: Manual", (TORQUES, "Cover | M6 | 9 N·m\n"), (TORQUES, "Cover | M8 | 22 N·m"))
    assert found == []


@pytest.mark.parametrize("value", ["-", "none", "yes", "as PM-E11", ""])
def test_a_cell_that_says_nothing_by_itself_is_not_asked_for(value: str) -> None:
    assert facts("PM-7 Press", ("PM-7 Press › Data: Item | Value", f"Lamp | {value}")) == []


def test_fault_codes_are_asked_for_meaning_cause_and_remedy() -> None:
    context = "PM-7 Press › 2 Faults: Code | Meaning | Likely cause | Remedy"
    found = facts("PM-7 Press", (context, "PM-E12 | Pressure does not build up | Relief valve stuck | Clean relief valve RV2"))
    assert {f.kind: f.answer for f in found} == {
        "meaning": "PM-E12 means: pressure does not build up.",
        "cause": "The likely cause of PM-E12 is: relief valve stuck.",
        "remedy": "For PM-E12: clean relief valve RV2.",
    }
    assert all("PM-E12" in f.question for f in found)


def test_chinese_rows_are_asked_in_chinese() -> None:
    context = "DC-15 型除尘器维护手册 › 力矩: 连接部位 | 螺栓规格 | 力矩"
    found = facts("DC-15 型除尘器维护手册", (context, "检修门 | M8 | 18 N·m"), lang="zh")
    assert "检修门的力矩是18 N·m。" in {f.answer for f in found}


@pytest.mark.parametrize(
    ("sentence", "lang", "gap"),
    [
        ("The discharge pipe reaches 95 °C.", "en", "the discharge pipe reaches what temperature"),
        ("On the SC-40V, wait 10 minutes after isolating before touching it.", "en",
         "wait how many minutes after isolating before touching it"),
        ("Commission may not exceed 3% of the value.", "en", "commission may not exceed what percentage of the value"),
        ("Rent for each truck is £33,900 a year.", "en", "rent for each truck is what amount a year"),
        ("The store lies between −25 °C and the yard.", "en", ""),
        ("The SC-40 has a canopy.", "en", ""),
        ("付款期限为收到发票后30日内。", "zh", "付款期限为收到发票后多少日内"),
        ("违约金不超过合同金额的10%。", "zh", "违约金不超过合同金额的百分之多少"),
        ("会议于2024年5月18日召开。", "zh", ""),
    ],
)  # fmt: skip
def test_the_figure_of_a_sentence_is_asked_for(sentence: str, lang: str, gap: str) -> None:
    assert gap_of(sentence, lang) == gap


def test_clauses_conditions_reasons_definitions_and_warnings() -> None:
    title = "Lease Agreement"
    found = facts(
        title,
        (f"{title} › 2. Term", "2. Term\n\n2.1 The lease runs until either party ends it in writing.\n"),
        (f"{title} › 3. Use", "If the tenant sublets without consent, the landlord may end the lease.\n"),
        (f"{title} › 3. Use", "Do not store acids in the cellar, because the floor is not sealed against them.\n"),
        (f"{title} › 1. Words", '"Net Area" means the floor area without stairs and shafts.\n'),
        (f"{title} › 4. Roof", "WARNING: The skylights of the hall do not carry a person.\n"),
    )
    kinds = {f.kind: f for f in found}
    assert set(kinds) == {"clause", "if", "reason", "definition", "warning"}
    assert "2.1" in kinds["clause"].question and kinds["clause"].answer.startswith("The lease runs")
    assert "tenant sublets" in kinds["if"].question
    assert "floor is not sealed" not in kinds["reason"].question and "floor is not sealed" in kinds["reason"].answer
    assert '"Net Area"' in kinds["definition"].question
    assert kinds["warning"].answer == "The skylights of the hall do not carry a person."
    for fact in found:
        assert fact.quote in fact.chunk.text and check(fact.answer, fact.quote, fact.chunk.context).support == "supported"


def test_a_sentence_that_leans_on_the_one_before_is_left_alone() -> None:
    assert facts("Guide", ("Guide › 1 Oil", "It must then be filled up to 30 mm above the mark.")) == []


def test_a_table_of_contents_asks_nothing() -> None:
    assert facts("Guide", ("Guide › 1", "1.2 Dangers of the 40 bar circuit . . . . . . . . . . . . 3")) == []


def test_a_documented_function_is_asked_for_by_name_and_by_what_it_does() -> None:
    text = 'def drain(queue: str) -> int:\n    """Empties a queue and says how many messages were in it."""\n    return 1\n'
    found = facts("client.py", ("client.py › class Client › def drain", text), suffix=".py")
    assert {f.kind for f in found} == {"does", "which"}
    assert all(f.answer == "drain: Empties a queue and says how many messages were in it." for f in found)


def test_headers_and_subjects_are_read_from_context_and_title() -> None:
    assert header_of(TORQUES) == ["Joint", "Size", "Torque"]
    assert header_of("FK-3 Fan: Manual › 2 Torques") == []
    assert subject_of("SC-40 Screw Compressor: Installation Manual", "en").place == "on the SC-40"
    assert subject_of("Master Services Agreement", "en").place == "in the Master Services Agreement"
    assert subject_of("Service Bulletin SB-2031 – HP-200 seal", "en").name == "Service Bulletin SB-2031"
    assert subject_of("厂房租赁合同", "zh").place == "《厂房租赁合同》中"


def test_the_same_seed_asks_the_same_questions() -> None:
    row = (TORQUES, "Impeller hub | M10 | 44 N·m")
    assert facts("FK-3 Fan: Manual", row) == facts("FK-3 Fan: Manual", row)
