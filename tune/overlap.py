"""What an answer's words share with the gold answer's: BLEU and ROUGE-L, both between 0 and 1, where equal texts have 1.

They count wording: an answer that says the same in other words loses, which `correctness` does not mind.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sacrebleu.metrics import BLEU

TOKENIZER = {"en": "13a", "zh": "zh"}  # sacrebleu's: words, and in Chinese single characters
WORD = re.compile(r"[a-z0-9]+|[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Overlap:
    """One answer against its gold answer: n-grams shared and said for n up to 4, tokens of both, and ROUGE-L."""

    shared: tuple[int, ...]
    said: tuple[int, ...]
    length: int
    gold_length: int
    rouge_l: float


def overlap(gold: str, said: str, lang: str) -> Overlap:
    """`lang` is the question's, which decides how BLEU cuts both into tokens."""
    found = _bleu(TOKENIZER[lang]).sentence_score(said, [gold])
    return Overlap(tuple(found.counts), tuple(found.totals), found.sys_len, found.ref_len, rouge_l(gold, said))


def bleu(overlaps: Sequence[Overlap]) -> float:
    """BLEU over all answers at once, not the mean of each one's (Papineni et al. 2002, as sacrebleu computes it, Post 2018).

    Where no answer has four tokens, only the n-grams that there are count.
    """
    if not overlaps:
        return 0.0
    from sacrebleu.metrics import BLEU

    shared, said = ([sum(column) for column in zip(*rows, strict=True)]
                    for rows in ([o.shared for o in overlaps], [o.said for o in overlaps]))  # fmt: skip
    length, gold_length = sum(o.length for o in overlaps), sum(o.gold_length for o in overlaps)
    found = BLEU.compute_bleu(shared, said, length, gold_length, smooth_method="exp", effective_order=True)
    return round(found.score / 100, 4)


def rouge_l(gold: str, said: str) -> float:
    """ROUGE-L's F (Lin 2004): the longest common subsequence of words, in Chinese of characters, over the mean length of both texts."""
    from rapidfuzz.distance import Indel

    wanted, heard = WORD.findall(gold.lower()), WORD.findall(said.lower())
    return Indel.normalized_similarity(wanted, heard) if wanted and heard else 0.0  # 2 LCS / (m + n)


@lru_cache
def _bleu(tokenizer: str) -> "BLEU":
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=tokenizer, effective_order=True)
