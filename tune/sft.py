"""Train a LoRA adapter on cited answers and refusals.  Run: tune sft maintenance"""

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from datasets import Dataset
from peft import LoraConfig
from torch.nn.functional import cross_entropy
from trl import SFTConfig, SFTTrainer

from ingest.settings import Settings
from serve.tiers import pick_tier
from tune.base import load_model, load_tokenizer
from tune.data import read_examples
from tune.labels import IGNORED, Encoded, check_labels, decoded, encode
from tune.packs import collate, packed
from tune.progress import Progress
from tune.run import Run
from tune.schema import Example
from tune.talk import Talk
from tune.train import Request, Trained, arguments, carry_out, prepare

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST = 2  # prompt budgets: rows that begin alike are packed up to here


def sft(settings: Settings, request: Request, talk: Talk) -> Trained:
    """Train on the corpus's examples and publish a new version."""
    tier = pick_tier(settings)

    @cache
    def encoded(count: int) -> list[Encoded]:
        tokenizer = load_tokenizer(settings.models / tier.base.id)
        examples = read_examples(settings, request.corpus)[:count]
        return [encode(tokenizer, e.id, e.prompt, e.completion, tier.prompt_budget) for e in examples]

    longest = LONGEST * tier.prompt_budget
    run = prepare(settings, request, "sft", None, talk, sequences=lambda count: len(packed(encoded(count), longest)))
    plan = run.plan
    tokenizer = load_tokenizer(settings.models / plan.base)
    examples = read_examples(settings, plan.corpus)[: plan.rows]
    rows = encoded(plan.rows)
    packs = packed(rows, longest)
    tokens = sum(len(row.ids) for row in rows)
    talk.say(f"{len(rows)} rows, {tokens / len(rows):.0f} tokens on average; rows that begin alike are computed together, "
             f"{tokens / sum(len(p.input_ids) for p in packs):.1f} times fewer tokens in all. One row, trained on between ⟦ and ⟧:\n"
             f"{decoded(tokenizer, rows[0])}")  # fmt: skip
    # In tokens already, labels and all: TRL's own preparation would cut what is too long and train on what follows EOS.
    dataset = Dataset.from_list([asdict(pack) for pack in packs])
    progress = Progress(run, tokens / len(packs), talk)
    trainer = make_trainer(settings, run, dataset, tokenizer, progress)
    check_batches(trainer, tokenizer, examples)
    return carry_out(settings, run, trainer, progress, talk)


class Trainer(SFTTrainer):
    """TRL's, but for the loss: only what precedes a label goes through the head, which is a fifth of a small model."""

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        labels = inputs.pop("labels")[0, 1:]
        at = (labels != IGNORED).nonzero()[:, 0]
        outputs = model(**inputs, logits_to_keep=at, use_cache=False)
        logits = outputs.logits[0].float()
        correct = (logits.argmax(-1) == labels[at]).float().mean().item()
        self._metrics["train" if model.training else "eval"]["mean_token_accuracy"].append(correct)
        loss = cross_entropy(logits, labels[at], reduction="sum") / (num_items_in_batch or len(at))
        return (loss, outputs) if return_outputs else loss


def make_trainer(settings: Settings, run: Run, dataset: Dataset, tokenizer: "PreTrainedTokenizerBase",
                 progress: Progress) -> SFTTrainer:  # fmt: skip
    plan = run.plan
    lora = LoraConfig(r=plan.rank, lora_alpha=plan.alpha, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    model = load_model(settings.models / plan.base)
    config = SFTConfig(remove_unused_columns=False, **arguments(run))
    return Trainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer, peft_config=lora,
                   data_collator=collate, callbacks=[progress])  # fmt: skip


def check_batches(trainer: SFTTrainer, tokenizer: "PreTrainedTokenizerBase", examples: list[Example]) -> None:
    """The last look, at what the trainer itself will put before the model: every row there, its labels its answer and EOS."""
    prepared = trainer.train_dataset
    assert isinstance(prepared, Dataset)
    left = iter(examples)
    for pack in prepared:
        labels = trainer.data_collator([pack])["labels"][0].tolist()
        for number in range(1, max(pack["segments"]) + 1):
            example = next(left)
            own = [label if segment == number else IGNORED for label, segment in zip(labels, pack["segments"], strict=True)]
            check_labels(tokenizer, example.id, own, example.completion)
    assert next(left, None) is None
