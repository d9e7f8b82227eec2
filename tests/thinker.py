"""A reasoning model of random weights with DeepSeek-R1's chat template: what it says is noise, how it is served and taught is real."""

import shutil
from pathlib import Path

import yaml

from tests.conftest import cache_lock, copy, small_index

SMALL = "SmolLM2-135M-Instruct"

# DeepSeek-R1-Distill's own, without its tools: it opens the thinking itself, and takes thinking out of earlier answers.
R1 = (
    "{% set ns = namespace(system='') %}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{% set ns.system = m['content'] %}{% endif %}{% endfor %}{{ bos_token }}{{ ns.system }}{% for m in messages %}"
    "{% if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}{% endif %}{% if m['role'] == 'assistant' %}"
    "{% set content = m['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"
)
# Qwen3's own, without its tools: the model opens the thinking, and the last answer is written with an empty one before it.
QWEN3 = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}{% if m['role'] == 'assistant' and loop.last %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{{ m['content'] + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}"
    "{% endif %}{% endif %}"
)


def make_thinker(small: Path, folder: Path) -> Path:
    """A model folder with the tokenizer of the one in `small`, DeepSeek's turns, and two random layers."""
    import torch
    from tokenizers import AddedToken
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(small, local_files_only=True)
    turns = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"]
    tokenizer.add_tokens([AddedToken(turn, special=True) for turn in turns], special_tokens=True)
    tokenizer.add_tokens([AddedToken("<think>", special=False), AddedToken("</think>", special=False)])
    tokenizer.bos_token, tokenizer.eos_token = turns[:2]
    tokenizer.chat_template = R1
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=4096, tie_word_embeddings=False, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def retold(thinker: Path, folder: Path, template: str) -> Path:
    """A copy of a model folder with another chat template."""
    shutil.copytree(thinker, folder)
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


def thinkers_home(home: Path, budget: int) -> Path:
    """`home` with the small index, the thinker beside the other models as `tiny-r1`, and so many tokens for its thinking."""
    with cache_lock():
        copy(small_index(), home)
    make_thinker(home / "models" / SMALL, home / "models" / "tiny-r1")
    file = home / "corpora" / "maintenance" / "profile.yaml"
    profile = yaml.safe_load(file.read_text(encoding="utf-8"))
    profile["serve"] = {**profile.get("serve", {}), "thinking_tokens": budget}
    file.write_text(yaml.safe_dump(profile, allow_unicode=True), encoding="utf-8")
    return home
