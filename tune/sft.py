"""Train a LoRA adapter on cited answers and refusals.  Run: tune sft maintenance"""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from peft import PeftModel
from torch.nn.functional import cross_entropy
from trl import SFTConfig, SFTTrainer

from ingest.settings import Settings
from serve.tiers import pick_tier
from tune.base import load_model, load_tokenizer
from tune.data import read_examples
from tune.fit import refuse_too_large
from tune.labels import IGNORED, Encoded, check_labels, decoded, encode
from tune.lora import lora_config, steady
from tune.packs import Pack, collate, packed
from tune.progress import Progress
from tune.registry import adapter_folder, read_adapter, refuse_other_shape, refuse_stale
from tune.run import Plan, Run
from tune.schema import Example
from tune.talk import Talk
from tune.train import Request, Trained, arguments, callbacks, carry_out, on_one_gpu, parted, prepare

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST = 2  # prompt budgets: rows that begin alike are packed up to here


def sft(settings: Settings, request: Request, talk: Talk) -> Trained:
    """Train on the corpus's examples, from the base or from the version asked for, and publish a new version."""
    prepared = cache(lambda count: encoded_rows(settings, request.corpus, count))

    def refuse(plan: Plan) -> None:
        if plan.parent:
            parent = read_adapter(settings, plan.corpus, plan.parent)
            refuse_stale(parent, plan.template_hash, plan.base_hash)
            refuse_other_shape(parent, plan)
        refuse_too_large(settings, plan, prepared(plan.rows)[1])

    run = prepare(settings, request, "sft", request.start or None, talk, lambda count: len(prepared(count)[1]), refuse)
    plan = run.plan
    rows, packs = prepared(plan.rows)
    tokenizer = load_tokenizer(settings.models / plan.base)
    tokens = sum(len(row.ids) for row in rows)
    talk.say(f"{len(rows)} rows, {tokens / len(rows):.0f} tokens on average; rows that begin alike are computed together, "
             f"{tokens / sum(len(p.input_ids) for p in packs):.1f} times fewer tokens in all. One row, trained on between ⟦ and ⟧:\n"
             f"{decoded(tokenizer, rows[0])}")  # fmt: skip
    progress = Progress(run, tokens / len(packs), talk)

    def make() -> SFTTrainer:
        trainer = make_trainer(settings, run, packs, tokenizer, progress)
        check_batches(trainer, tokenizer, read_examples(settings, plan.corpus)[: plan.rows], packs, plan)
        return trainer

    return carry_out(settings, run, make, progress, talk)


def encoded_rows(settings: Settings, corpus: str, count: int) -> tuple[list[Encoded], list[Pack]]:
    """The first `count` examples in tokens, and the packs that they make."""
    tier = pick_tier(settings)
    tokenizer = load_tokenizer(settings.models / tier.base.id)
    examples = read_examples(settings, corpus)[:count]
    rows = [encode(tokenizer, e.id, e.prompt, e.completion, tier.prompt_budget) for e in examples]
    return rows, packed(rows, LONGEST * tier.prompt_budget)


class Trainer(SFTTrainer):
    """TRL's, but for the loss: only what precedes a label goes through the head, which is a fifth of a small model."""

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        labels = inputs.pop("labels")[:, 1:]
        at = (labels != IGNORED).any(0).nonzero()[:, 0]
        outputs = model(**inputs, logits_to_keep=at, use_cache=False)
        counts = labels[:, at] != IGNORED
        logits, labels = outputs.logits[counts].float(), labels[:, at][counts]
        correct = (logits.argmax(-1) == labels).float().mean().item()
        self._metrics["train" if model.training else "eval"]["mean_token_accuracy"].append(correct)
        # Of several processes each computes its part of one mean, and their gradients are averaged afterwards.
        count = len(labels) if num_items_in_batch is None else num_items_in_batch / self.accelerator.num_processes
        loss = cross_entropy(logits, labels, reduction="sum") / count
        return (loss, outputs) if return_outputs else loss


def make_trainer(settings: Settings, run: Run, packs: Sequence[Pack], tokenizer: "PreTrainedTokenizerBase",
                 progress: Progress) -> SFTTrainer:  # fmt: skip
    plan = run.plan
    # In tokens already, labels and all: TRL's own preparation would cut what is too long and train on what follows EOS.
    learnt, held = (Dataset.from_list([asdict(pack) for pack in part]) if part else None for part in parted(packs, plan))
    model: Any = load_model(settings.models / plan.base, plan.recipe.quantization)
    fresh = None if plan.parent else lora_config(plan.recipe)
    if plan.parent:
        model = PeftModel.from_pretrained(model, str(adapter_folder(settings, plan.corpus, plan.parent)), is_trainable=True)
    config = on_one_gpu(SFTConfig(remove_unused_columns=False, **arguments(run)))
    trainer = Trainer(model=model, args=config, train_dataset=learnt, eval_dataset=held, processing_class=tokenizer,
                      peft_config=fresh, data_collator=collate, callbacks=callbacks(run, progress))  # fmt: skip
    steady(trainer.model)
    return trainer


def check_batches(trainer: SFTTrainer, tokenizer: "PreTrainedTokenizerBase", examples: Sequence[Example], packs: Sequence[Pack],
                  plan: Plan) -> None:  # fmt: skip
    """The last look, at what the trainer itself will put before the model: every row there, its labels its answer and EOS."""
    left = iter(examples)
    owners = [[next(left) for _ in range(max(pack.segments))] for pack in packs]
    assert next(left, None) is None
    datasets: Any = (trainer.train_dataset, trainer.eval_dataset)
    for prepared, rows in zip(datasets, parted(owners, plan), strict=True):
        for pack, own in zip(prepared or [], rows, strict=True):
            labels = trainer.data_collator([pack])["labels"][0].tolist()
            for number, example in enumerate(own, 1):
                only = [label if segment == number else IGNORED for label, segment in zip(labels, pack["segments"], strict=True)]
                check_labels(tokenizer, example.id, only, example.completion)
