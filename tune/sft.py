"""Train a LoRA adapter on cited answers and refusals.  Run: tune sft maintenance"""

from typing import TYPE_CHECKING

from datasets import Dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

from ingest.settings import Settings
from tune.base import load_model, load_tokenizer
from tune.data import read_examples
from tune.labels import check_labels, decoded, encode
from tune.progress import Progress
from tune.run import Run
from tune.schema import Example
from tune.talk import Talk
from tune.train import Request, Trained, arguments, carry_out, prepare

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def sft(settings: Settings, request: Request, talk: Talk) -> Trained:
    """Train on the corpus's examples and publish a new version."""
    run = prepare(settings, request, "sft", None, talk)
    plan = run.plan
    folder = settings.models / plan.base
    tokenizer = load_tokenizer(folder)
    examples = read_examples(settings, plan.corpus)[: plan.rows]
    rows = [encode(tokenizer, e.id, e.prompt, e.completion, plan.max_length) for e in examples]
    mean = sum(len(row.ids) for row in rows) / len(rows)
    talk.say(f"{len(rows)} rows, {mean:.0f} tokens on average. One, trained on between ⟦ and ⟧:\n{decoded(tokenizer, rows[0])}")
    # In tokens already, labels and all: TRL's own preparation would cut what is too long and train on what follows EOS.
    dataset = Dataset.from_list([{"input_ids": r.ids, "labels": r.labels} for r in rows])
    progress = Progress(run, mean, talk)
    trainer = make_trainer(settings, run, dataset, tokenizer, progress)
    check_batches(trainer, tokenizer, examples)
    return carry_out(settings, run, trainer, progress, talk)


def make_trainer(settings: Settings, run: Run, dataset: Dataset, tokenizer: "PreTrainedTokenizerBase",
                 progress: Progress) -> SFTTrainer:  # fmt: skip
    plan = run.plan
    lora = LoraConfig(r=plan.rank, lora_alpha=plan.alpha, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    model = load_model(settings.models / plan.base)
    return SFTTrainer(model=model, args=SFTConfig(**arguments(run)), train_dataset=dataset, processing_class=tokenizer, peft_config=lora,
                      callbacks=[progress])  # fmt: skip


def check_batches(trainer: SFTTrainer, tokenizer: "PreTrainedTokenizerBase", examples: list[Example]) -> None:
    """The last look, at what the trainer itself will put before the model: every row there, its labels its answer and EOS."""
    prepared = trainer.train_dataset
    assert isinstance(prepared, Dataset) and len(prepared) == len(examples)
    for row, example in zip(prepared, examples, strict=True):
        labels = trainer.data_collator([row])["labels"][0].tolist()
        check_labels(tokenizer, example.id, labels, example.completion)
