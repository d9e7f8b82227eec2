"""Packs: every row is in them once, whole, apart from the others, and trains as it would alone."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy

from tune.base import load_model, load_tokenizer
from tune.labels import IGNORED, Encoded, encode
from tune.packs import SHARED, Pack, collate, packed

PASSAGES = "Passages:\n\n[1] Oil\nThe oil volume is 63 L.\n\n[2] Mass\nThe press weighs 1,200 kg.\n\nQuestion: "
ASKED = {"How much oil?": "The oil volume is 63 L. [1]", "What does it weigh?": "The press weighs 1,200 kg. [2]",
         "Who made it?": "The documents do not answer this question."}  # fmt: skip
tokens = st.lists(st.integers(5, 9), max_size=6)
# Few different beginnings, so that some rows share one and others do not.
rows = st.lists(st.builds(lambda begin, prompt, answer: Encoded(begin * 3 + prompt + [1], [*answer, 2]),
                          st.sampled_from([[5, 6, 7], [5, 6, 8], [9]]), tokens, tokens), max_size=12)  # fmt: skip


@given(rows, st.integers(10, 60))
def test_every_row_comes_back_whole_and_in_order(given_rows: list[Encoded], longest: int) -> None:
    packs = packed(given_rows, longest)
    back = [row for pack in packs for row in unpacked(pack)]
    assert back == [(row.ids, row.labels) for row in given_rows]
    for pack in packs:
        assert len(pack.input_ids) <= longest or max(pack.segments) == 1
        assert len(pack.input_ids) <= sum(len(ids) for ids, _ in unpacked(pack)), "never more tokens than one by one"
        for at, label in enumerate(pack.labels):
            assert label == IGNORED or at == 0 or pack.segments[at - 1] == pack.segments[at], "predicted from its own row"


def test_rows_with_one_prompt_keep_its_last_token_each_and_as_many_fit_as_there_is_room_for() -> None:
    (pack,) = packed([Encoded([1] * 100, [7, 2]), Encoded([1] * 100, [8, 2])], 200)
    assert pack.input_ids == [1] * 100 + [7, 2] + [1, 8, 2] and pack.position_ids[-3:] == [99, 100, 101]
    rows = [Encoded([1] * 80 + [n] * 40, [2] * 10) for n in range(10, 20)]
    assert [max(pack.segments) for pack in packed(rows, 250)] == [3, 3, 3, 1]


@given(rows)
def test_a_token_sees_what_it_would_see_alone(given_rows: list[Encoded]) -> None:
    for pack in packed(given_rows, 60):
        batch = collate([asdict(pack)])
        sees = batch["attention_mask"][0, 0]
        for at in range(len(pack.input_ids)):
            seen = [pack.input_ids[i] for i in range(len(pack.input_ids)) if sees[at, i]]
            number = pack.segments[at]
            alone = unpacked(pack)[max(number, 1) - 1][0]
            assert seen == alone[: len(seen)] and len(seen) == pack.position_ids[at] + 1


def unpacked(pack: Pack) -> list[tuple[list[int], list[int]]]:
    """Tokens and labels of each row of a pack."""
    found = []
    for number in range(1, max(pack.segments) + 1):
        own = [i for i, segment in enumerate(pack.segments) if segment in (SHARED, number)]
        found.append(([pack.input_ids[i] for i in own], [pack.labels[i] for i in own]))
    return found


@pytest.fixture(scope="module")
def base(home: Path) -> Path:
    return home / "models" / "SmolLM2-135M-Instruct"


def test_loss_and_gradients_are_those_of_the_rows_one_by_one(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    messages = [[{"role": "system", "content": "Cite."}, {"role": "user", "content": PASSAGES + question}] for question in ASKED]
    encoded = [encode(tokenizer, "row", prompt, [{"role": "assistant", "content": said}], 768)
               for prompt, said in zip(messages, ASKED.values(), strict=True)]  # fmt: skip
    together, alone = packed(encoded, 768), [pack for row in encoded for pack in packed([row], 768)]
    assert len(together) == 1 and len(alone) == 3 and len(together[0].input_ids) < sum(len(p.input_ids) for p in alone) / 1.8
    model = get_peft_model(load_model(base).float(), LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights="gaussian"))
    torch.nn.init.normal_(next(p for name, p in model.named_parameters() if "lora_B" in name), std=0.1)
    learnt = [p for p in model.parameters() if p.requires_grad]
    found = []
    for packs in (together, alone):
        model.zero_grad()
        total = 0.0
        for pack in packs:
            loss = summed(model, collate([asdict(pack)]))
            loss.backward()
            total += loss.item()
        found.append((total, torch.cat([p.grad.flatten() for p in learnt])))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    assert torch.nn.functional.cosine_similarity(found[0][1], found[1][1], dim=0) > 0.9999


def test_packs_of_a_batch_are_apart_too(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    packs = [asdict(pack) for said in ("It is 63 L. [1]", "It weighs 1,200 kg, by the plate and by the manual. [2]")
             for pack in packed([encode(tokenizer, "row", [{"role": "user", "content": f"{PASSAGES}How?{said[:5]}"}],
                                        [{"role": "assistant", "content": said}], 768)], 768)]  # fmt: skip
    batch = collate(packs)
    shorter, longer = sorted(len(pack["input_ids"]) for pack in packs)
    assert batch["input_ids"].shape == (2, longer) and shorter < longer
    model = load_model(base).float()
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = model(**batch).logits
        for n, pack in enumerate(packs):
            alone = collate([pack])
            own = alone.pop("labels")[0]
            assert torch.equal(labels[n][labels[n] != IGNORED], own[own != IGNORED])
            together = cross_entropy(logits[n, :-1], labels[n, 1:], ignore_index=IGNORED)
            assert together.item() == pytest.approx(cross_entropy(model(**alone).logits[0, :-1], own[1:]).item(), rel=1e-4)


def summed(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    labels = batch.pop("labels")
    return cross_entropy(model(**batch).logits[0, :-1], labels[0, 1:], ignore_index=IGNORED, reduction="sum")
