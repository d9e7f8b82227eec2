"""Train an adapter further on preferred and rejected answers, against the policy that SFT made.  Run: tune dpo maintenance"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from peft import PeftModel
from trl import DPOConfig, DPOTrainer

from corpora import UserError
from ingest.settings import Settings
from tune import processes
from tune.base import load_model, load_tokenizer
from tune.data import fresh_data, read_pairs
from tune.fit import refuse_too_large
from tune.labels import Encoded, check_labels, encode
from tune.lora import steady
from tune.packs import Pack
from tune.progress import Progress
from tune.registry import adapter_folder, newest_sft, refuse_stale
from tune.run import Plan, Run
from tune.schema import Adapter, PreferencePair
from tune.talk import Talk
from tune.train import Request, Trained, arguments, callbacks, carry_out, on_one_gpu, parted, prepare

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FEWEST = 30  # pairs; fewer teach their own wording and nothing else
BETA = 0.1  # how far the policy may drift from SFT's; a smaller one lets it go further
ANCHOR = 0.2  # weight of plain learning of the chosen answer, so that both do not become unlikely together


def dpo(settings: Settings, request: Request, talk: Talk) -> Trained:
    """Train the newest SFT adapter on the corpus's preference pairs and publish a new version."""
    parent = newest_sft(settings, request.corpus)
    if not request.resume:
        processes.from_first(lambda: refuse_few(settings, request, parent, talk))
    run = prepare(settings, request, "dpo", parent.version, talk, sequences=lambda pairs: pairs,
                  refuse=partial(refuse_unfit, settings, parent))  # fmt: skip
    plan = run.plan
    pairs = read_pairs(settings, plan.corpus)[: plan.rows]
    tokenizer = load_tokenizer(settings.models / plan.base)
    lengths = [len(row.ids) for pair in pairs for row in _encoded(tokenizer, pair, plan.max_length)]
    mean = sum(lengths) / len(lengths)
    talk.say(f"{len(pairs)} pairs, {mean:.0f} tokens a prompt and answer on average; going on from version {plan.parent}")
    progress = Progress(run, 2 * mean, talk)

    def make() -> DPOTrainer:
        trainer = make_trainer(settings, run, pairs, tokenizer, progress)
        check_batches(trainer, tokenizer, pairs, plan)
        return trainer

    return carry_out(settings, run, make, progress, talk)


def make_trainer(settings: Settings, run: Run, pairs: list[PreferencePair], tokenizer: "PreTrainedTokenizerBase",
                 progress: Progress) -> DPOTrainer:  # fmt: skip
    plan = run.plan
    assert plan.parent is not None  # `dpo` sets it
    # A trainable adapter and no peft_config: TRL then freezes a copy of it as the reference. With a peft_config the
    # reference would be the bare base.
    start = adapter_folder(settings, plan.corpus, plan.parent)
    base = load_model(settings.models / plan.base, plan.recipe.quantization)
    model = PeftModel.from_pretrained(base, str(start), is_trainable=True)
    config = on_one_gpu(DPOConfig(beta=BETA, loss_type=["sigmoid", "sft"], loss_weights=[1.0, ANCHOR], **arguments(run)))
    learnt, held = parted(pairs, plan)
    texts = [Dataset.from_list([pair.model_dump(include={"prompt", "chosen", "rejected"}) for pair in part]) if part else None
             for part in (learnt, held)]  # fmt: skip
    trainer = DPOTrainer(model=model, args=config, train_dataset=texts[0], eval_dataset=texts[1], processing_class=tokenizer,
                         callbacks=callbacks(run, progress))  # fmt: skip
    assert list(model.peft_config) == ["default", "ref"]
    steady(model)
    # TRL's own tokens are not what serving asks where a template begins the thinking, and go on after EOS.
    trainer.train_dataset = Dataset.from_list([_tokens(tokenizer, pair, plan.max_length) for pair in learnt])
    if held:
        trainer.eval_dataset = Dataset.from_list([_tokens(tokenizer, pair, plan.max_length) for pair in held])
    return trainer


def _tokens(tokenizer: "PreTrainedTokenizerBase", pair: PreferencePair, most: int) -> dict[str, list[int]]:
    """The columns that TRL makes of a pair, each answer up to its EOS."""
    chosen, rejected = _encoded(tokenizer, pair, most)
    return {"prompt_ids": chosen.prompt, "chosen_ids": chosen.answer, "rejected_ids": rejected.answer}


def check_batches(trainer: DPOTrainer, tokenizer: "PreTrainedTokenizerBase", pairs: Sequence[PreferencePair], plan: Plan) -> None:
    """Every pair is there, and what is compared are the answers and EOS, in full."""
    datasets: Any = (trainer.train_dataset, trainer.eval_dataset)
    for prepared, part in zip(datasets, parted(pairs, plan), strict=True):
        for row, pair in zip(prepared or [], part, strict=True):
            batch = trainer.data_collator([row])
            for at, answer in enumerate((pair.chosen, pair.rejected)):
                labels = batch["input_ids"][at][batch["completion_mask"][at].bool()].tolist()
                check_labels(tokenizer, pair.id, labels, answer)


def refuse_few(settings: Settings, request: Request, parent: Adapter, talk: Talk) -> None:
    """Raises `UserError` where there are too few pairs, or they hold mistakes of another version than the one that learns from them."""
    data = fresh_data(settings, request.corpus, talk)
    if data.mined not in (None, parent.version):
        raise UserError(f"The pairs of {request.corpus} hold mistakes of version {data.mined}, and DPO goes on from {parent.version}.",
                        f"Make them anew, with the options that they had: tune data {request.corpus} --mine N")  # fmt: skip
    there = sum(data.pairs.values())
    pairs = min(there, request.rows or there)
    if pairs < FEWEST:
        raise UserError(f"{request.corpus} has {pairs} preference pairs; DPO needs {FEWEST}, so {FEWEST - pairs} are missing.",
                        f"Collect corrections in the chat, or make more rows: tune data {request.corpus} --rows N")  # fmt: skip


def refuse_unfit(settings: Settings, parent: Adapter, plan: Plan) -> None:
    """Raises `UserError` where the parent is for another prompt or base, or memory would not suffice."""
    refuse_stale(parent, plan.template_hash, plan.base_hash)
    tokenizer = load_tokenizer(settings.models / plan.base)
    rows = [row for pair in read_pairs(settings, plan.corpus)[: plan.rows] for row in _encoded(tokenizer, pair, plan.max_length)]
    # Both answers of a pair go through the model at once, and all of their tokens through its head.
    whole = [Pack(row.ids, row.ids, list(range(len(row.ids))), [1] * len(row.ids)) for row in rows]
    refuse_too_large(settings, plan.model_copy(update={"batch": 2 * plan.batch}), whole)


def _encoded(tokenizer: "PreTrainedTokenizerBase", pair: PreferencePair, most: int) -> list[Encoded]:
    return [encode(tokenizer, pair.id, pair.prompt, answer, most) for answer in (pair.chosen, pair.rejected)]
