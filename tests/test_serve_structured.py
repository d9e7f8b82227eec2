"""Answers in a form: every value of a JSON answer stands in a passage, or the answer does not leave; the words are fixed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from corpora import UserError
from ingest.schema import Chunk, Hit
from ingest.settings import Settings
from serve.api import create_app
from serve.completion import read_chat
from serve.fields import leaves, named_unit
from serve.form import Form
from serve.journal import Journal
from serve.structured import Unsupported, check_form
from tests.conftest import cache_lock, copy, small_index
from tests.echo import echo

TIGHT = "How tight are the flange bolts of the P-30?"
MANUAL = ("Tighten the flange bolts of the P-30 to 35 Nm in two passes. Replace the shaft seal of the P-30 after 4,000 hours of "
          "operation.")  # fmt: skip
LEASE = "押金为人民币35万元，租期届满后七个工作日内退还。"


def hit(text: str, context: str, number: int = 0) -> Hit:
    return Hit(1, 1.0, Chunk("0" * 16, number, text, 100, 100 + len(text), None, context), "p.md")


SHOWN = [hit(MANUAL, "P-30 pump > Torque"), hit(LEASE, "租赁合同 > 押金", 1)]
SCHEMA = {"type": "object", "properties": {"torque": {"type": "string"}, "hours": {"type": "number"}, "deposit": {}, "steps": {}}}


def check(data: Any, question: str = TIGHT, form: Form | None = None) -> list[tuple[str, str]]:
    """Path and quote of each citation of `data`, a JSON text or what is to be one."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    filled = check_form(f"\n{text}\n", form or Form(schema_=SCHEMA), question, SHOWN, lambda token: 1.0)
    assert filled.text == text, "byte for byte"
    return [(c.path, c.quote) for c in filled.citations]


@pytest.mark.parametrize(
    ("data", "question"),
    [
        ({"torque": "35 Nm"}, TIGHT),
        ({"torque": "Tighten the flange bolts to 35 Nm in two passes"}, TIGHT),
        ({"torque": 35}, TIGHT),
        ({"hours": 4000}, "After how many hours is the shaft seal of the P-30 replaced?"),
        ({"steps": ["Tighten the flange bolts of the P-30 to 35 Nm.", "in two passes"]}, TIGHT),
        ({"deposit": {"amount": "35万元"}}, "押金是多少？"),
        ({"torque": "35 Nm", "deposit": None, "steps": ""}, TIGHT),
    ],
)
def test_values_that_stand_are_cited_each_by_its_place(data: dict[str, Any], question: str) -> None:
    found = check(data, question)
    assert found and all(quote in MANUAL or quote in LEASE for _, quote in found)
    for path, _ in found:
        value: Any = data
        for part in path.split("/")[1:]:
            value = value[int(part)] if isinstance(value, list) else value[part]
        assert value


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"torque": "40 Nm"}, "value"),
        ({"torque": 5}, "value"),
        ({"torque": "5 Nm"}, "value"),
        ({"torque": 35.5}, "value"),
        ({"torque": "P"}, "value"),
        ({"torque": "4,000 hours"}, "value"),
        ({"torque": "35 Nm", "steps": ["Tighten them.", "Paint the pump green and sell it."]}, "value"),
        ({"torque": "35 Nm", "steps": {"deep": [["as high as the moon"]]}}, "value"),
        ({"torque": "Tighten the flange bolts to 35 Nm in two passes. The pump weighs 900 kg."}, "value"),
        ({"deposit": "53万元"}, "value"),
        ({"35 Nm is what the screws of the CP-80 want": None}, "value"),
        ({"CP-80": "35 Nm"}, "value"),
        ({"torque": "The documents do not answer this question."}, "model"),
        ({"torque": None, "steps": []}, "model"),
        ('{"torque": "35 Nm"', "malformed"),
        ('{"torque": "40 Nm", "torque": "35 Nm"}', "malformed"),
        ('{"torque": NaN}', "malformed"),
        ("35 Nm", "malformed"),
        ("[" * 5000, "malformed"),
        ("[" * 300 + "]" * 300, "model"),
        ("", "malformed"),
    ],
)
def test_one_value_that_does_not_stand_refuses_the_whole(data: Any, why: str) -> None:
    with pytest.raises(Unsupported) as refused:
        check(data)
    assert refused.value.why == why


def test_true_and_false_are_said_to_be_the_models() -> None:
    filled = check_form('{"torque": "35 Nm", "steps": true}', Form(schema_=SCHEMA), TIGHT, SHOWN, lambda token: 1.0)
    assert filled.notice == "judged" and [c.path for c in filled.citations] == ["/torque"]


def test_a_pointer_escapes_what_it_must() -> None:
    assert check({"a/b~c": "35 Nm"}, form=Form())[0][0] == "/a~1b~0c"


WORDS = st.sampled_from(["35", "Nm", "flange", "bolts", "P-30", "40", "moon", "not", "seal", "4,000", "hours", "two", "passes", "CP-80"])
VALUES = st.recursive(st.lists(WORDS, min_size=1, max_size=6).map(" ".join) | st.integers(0, 99) | st.none(),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6)  # fmt: skip


@given(VALUES)
def test_no_figure_leaves_that_no_passage_has(data: Any) -> None:
    try:
        found = check(data)
    except Unsupported:
        return
    said = " ".join(str(leaf.value) for leaf in leaves(data, set()))
    assert not any(word in said for word in ("40", "moon", "CP-80"))
    assert found


# what a name says of its value

ROOF = ("The landlord shall repair the roof at its own expense; the tenant shall report damage within 8 days. The relief valve opens at "
        "400 psi. The press is tested at 6 bar. Tighten the bolts to 40 Nm.")  # fmt: skip
ROOF_ZH = "出租人应当在每年三月维修屋面，承租人应当在八日内通知出租人。租金由承租人支付，税费由出租人承担。押金为人民币35万元。"


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("At what pressure does the relief valve open?", {"max_psi": 400}, {"max_kpa": 400}),
        ("At what pressure does the relief valve open?", {"pressure": {"value": 400, "unit": "psi"}}, {"value": 400, "unit": "bar"}),
        ("Within what time must damage be reported?", {"days": 8}, {"hours": 8}),
        ("Within what time must damage be reported?", {"noticeDays": "8"}, {"noticeHours": "8"}),
        ("How tight are the bolts?", {"max": 40, "unit": "Nm"}, {"unit": "bar", "max": 40}),
        ("押金是多少？", {"押金（万元）": 35}, {"押金（元）": 35}),
        ("承租人应当在几日内通知？", {"天数": "八"}, {"小时数": "八"}),
        ("Who shall repair the roof?", {"who": "the landlord"}, {"who": "the tenant"}),
        ("Which party is responsible for repairing the roof?", {"party": "landlord"}, {"party": "tenant"}),
        ("由谁维修屋面？", {"who": "出租人"}, {"who": "承租人"}),
        ("租金由谁支付？", {"who": "承租人"}, {"who": "出租人"}),
    ],
)
def test_a_value_is_read_with_its_unit_and_as_the_doer_that_was_asked_for(
    question: str, right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    shown = [hit(ROOF, "Lease and manual"), hit(ROOF_ZH, "租赁合同", 1)]

    def filled(data: dict[str, Any]) -> list[Any]:
        form = Form(schema_={"properties": {key: {} for key in [*data, "value", "unit"]}})
        return check_form(json.dumps(data, ensure_ascii=False), form, question, shown, lambda token: 1.0).citations

    assert filled(right)
    with pytest.raises(Unsupported, match="value"):
        filled(wrong)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("pressure_kPa", "kPa"), ("maxKPa", "KPa"), ("kpa_max", "kpa"), ("working_days", "working days"), ("hours_per_week", "hours"),
        ("期限（天）", "天"), ("金额_万元", "万元"), ("year", ""), ("pressure_min", ""), ("db_port", ""),
        ("class_a", ""), ("单元", ""), ("", ""),
    ],
)  # fmt: skip
def test_the_unit_in_a_name(name: str, unit: str) -> None:
    assert named_unit(name) == unit


# choices


def test_a_choice_is_one_of_the_labels_and_cites_what_bears_it_out() -> None:
    form = Form(choices=("35 Nm", "40 Nm"))
    assert [path for path, _ in check("35 Nm", form=form)] == [""]
    assert check("40 Nm", form=form) == [], "chosen, and nothing bears it out"
    with pytest.raises(Unsupported, match="malformed"):
        check("35", form=form)


# what is asked


def chat(**more: Any) -> dict[str, Any]:
    return {"model": "maintenance", "messages": [{"role": "user", "content": "What does fault code SC-A04 mean?"}], **more}


def by_schema(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "fault", "schema": schema, "strict": True}}}


def deep(levels: int) -> dict[str, Any]:
    return {"type": "array", "items": deep(levels - 1)} if levels else {"type": "string"}


@pytest.mark.parametrize(
    "more",
    [
        by_schema({"type": "object", "properties": {f"p{n}": {"type": "string", "description": "x" * 200} for n in range(100)}}),
        by_schema({"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(400)}}),
        by_schema(deep(40)),
        by_schema({"type": "string", "pattern": "(a{1,999}){999}"}),
        by_schema({"type": "object", "patternProperties": {".": {}}}),
        by_schema({"type": "array", "items": {}, "maxItems": 10**9}),
        by_schema({"$ref": "http://203.0.113.9/schema.json"}),
        by_schema("no schema"),
        {"response_format": {"type": "structural_tag"}},
        {"structured_outputs": {"regex": "a*"}},
        {"structured_outputs": {"choice": []}},
        {"structured_outputs": {"choice": ["a"] * 2}},
        {"structured_outputs": {"choice": [f"{n}" for n in range(65)]}},
        {"structured_outputs": {"choice": ["x" * 201]}},
        {"structured_outputs": {"choice": ["a"]}, "response_format": {"type": "json_object"}},
        {"stop": ["a"] * 5},
        {"stop": "x" * 101},
        {"stop": ""},
    ],
)
def test_what_is_too_large_or_no_form_is_refused_in_one_sentence(more: dict[str, Any]) -> None:
    with pytest.raises(UserError) as refused:
        read_chat(chat(**more))
    assert len(str(refused.value)) < 800 and "\n" not in str(refused.value)


def test_forms_as_clients_send_them() -> None:
    assert read_chat(chat()).form is None and read_chat(chat(response_format={"type": "text"})).form is None
    assert read_chat(chat(response_format={"type": "json_object"})).form == Form()
    named = {"type": "object", "properties": {"pattern": {"type": "string"}, "$ref": {"type": "string"}}}
    assert read_chat(chat(**by_schema(named))).form == Form(schema_=named), "names of members are free"
    assert read_chat(chat(stop="\n")).stops == ("\n",) and read_chat(chat(stop=["a", "b"])).stops == ("a", "b")


# through the gateway


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("structured")
    with cache_lock():
        copy(small_index(), home)
    return Settings(home=home, chroma_url="", tier="cpu", vllm_port=9)


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    headers = {"Authorization": f"Bearer {Journal(settings.root).local_key()}"}
    with TestClient(create_app(settings), base_url="http://127.0.0.1", headers=headers) as client:
        yield client


@pytest.fixture
def model(settings: Settings) -> Iterator[Path]:
    file = settings.run / "vllm.url"
    file.parent.mkdir(exist_ok=True)
    yield file
    file.unlink(missing_ok=True)


FAULT = by_schema({"type": "object", "properties": {"meaning": {"type": "string"}}, "required": ["meaning"]})


def test_json_leaves_unchanged_with_its_citations_beside_it(client: TestClient, model: Path) -> None:
    said = '{ "meaning":"Fan motor overload"}'
    with echo(said) as (url, seen):
        model.write_text(url)
        whole = client.post("/v1/chat/completions", json=chat(**FAULT)).json()
        streamed = client.post("/v1/chat/completions", json=chat(**FAULT, stream=True)).text
    assert whole["choices"][0]["message"]["content"] == said and not whole["refused"]
    assert [c["path"] for c in whole["citations"]] == ["/meaning"] and "overload" in whole["citations"][0]["quote"].lower()
    assert seen[0]["structured_outputs"] == {"json": FAULT["response_format"]["json_schema"]["schema"]}
    assert "JSON" in seen[0]["messages"][0]["content"]
    chunks = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == said and chunks[-1]["citations"] == whole["citations"]


@pytest.mark.parametrize(
    ("said", "finish", "notice"),
    [('{"meaning": "Moon overload of 7 t"}', "stop", "did not stand"), ('{"meaning": "Fan mo', "length", "of the form")],
)
def test_json_that_does_not_stand_is_a_refusal_and_no_content(
    client: TestClient, model: Path, said: str, finish: str, notice: str
) -> None:
    with echo(said, finish=finish) as (url, _):
        model.write_text(url)
        whole = client.post("/v1/chat/completions", json=chat(**FAULT)).json()
        streamed = client.post("/v1/chat/completions", json=chat(**FAULT, stream=True)).text
    message = whole["choices"][0]["message"]
    assert message["content"] is None and message["refusal"] and whole["refused"] and whole["citations"] == []
    assert notice in whole["notice"] and "Moon" not in streamed and '"refusal"' in streamed


def test_a_choice_comes_back_as_it_is(client: TestClient, model: Path) -> None:
    with echo("fan motor overload") as (url, seen):
        model.write_text(url)
        labels = ["fan motor overload", "low oil"]
        whole = client.post("/v1/chat/completions", json=chat(structured_outputs={"choice": labels})).json()
    assert whole["choices"][0]["message"]["content"] == "fan motor overload" and "not quoted" in whole["notice"]
    assert seen[0]["structured_outputs"] == {"choice": labels} and "low oil" in seen[0]["messages"][0]["content"]


def test_without_a_model_nothing_can_have_a_form(client: TestClient, model: Path) -> None:
    model.write_text("http://127.0.0.1:9")
    refused = client.post("/v1/chat/completions", json=chat(**FAULT))
    assert refused.status_code == 503 and refused.json()["error"]["message"].startswith("No language model can answer")
    assert client.post("/v1/chat/completions", json=chat()).json()["mode"] == "extractive", "prose is quoted"


def test_a_bad_form_is_a_400(client: TestClient) -> None:
    refused = client.post("/v1/chat/completions", json=chat(**by_schema({"type": "string", "pattern": "a*"})))
    assert refused.status_code == 400 and "pattern is not taken" in refused.json()["error"]["message"]


def test_what_the_documents_do_not_hold_is_refused_before_the_model_is_asked(client: TestClient, model: Path) -> None:
    with echo('{"meaning": "x"}') as (url, seen):
        model.write_text(url)
        body = {**chat(**FAULT), "messages": [{"role": "user", "content": "Who won the world cup in 1998?"}]}
        whole = client.post("/v1/chat/completions", json=body).json()
    assert whole["refused"] and whole["choices"][0]["message"]["content"] is None and seen == []


@pytest.mark.parametrize(("stop", "kept"), [("The", True), (" The duct", True), ("\n", True), ("overload", False)])
def test_a_stop_in_the_middle_of_a_sentence_takes_the_sentence_with_it(
    client: TestClient, model: Path, stop: str, kept: bool
) -> None:
    with echo("SC-A04 is a fan motor overload [1].\nThe duct is blocked.") as (url, seen):
        model.write_text(url)
        whole = client.post("/v1/chat/completions", json=chat(stop=[stop])).json()
    assert seen[0]["stop"] == [stop]
    assert ("SC-A04 is a fan motor overload" in whole["choices"][0]["message"]["content"]) is kept
    assert (whole["mode"] == "model") is kept


def test_sampling_is_the_profiles(client: TestClient, model: Path, settings: Settings) -> None:
    file = settings.root / "corpora" / "maintenance" / "profile.yaml"
    before = file.read_text(encoding="utf-8")
    with echo("SC-A04 is a fan motor overload [1].") as (url, seen):
        model.write_text(url)
        client.post("/v1/chat/completions", json=chat())
        sampling = "{temperature: 0.6, top_p: 0.95, top_k: 20, repetition_penalty: 1.1, seed: 7}"
        file.write_text(before.replace("serve:\n", f"serve:\n  sampling: {sampling}\n"), encoding="utf-8")
        client.post("/v1/chat/completions", json=chat(temperature=1.9, seed=1))
    file.write_text(before, encoding="utf-8")
    names = ("temperature", "top_p", "top_k", "repetition_penalty", "seed")
    assert [seen[0].get(name) for name in names] == [0, None, None, None, None]
    assert [seen[1].get(name) for name in names] == [0.6, 0.95, 20, 1.1, 7]
