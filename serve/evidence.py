"""Evidence: how well the hits cover what the question asks, 0 to 1. Under the profile's threshold the model is not asked."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from ingest.keywords import Keywords
from ingest.schema import Hit
from ingest.tokens import exact_tokens, tokens

RARE = 3.0  # weight of a token that about one chunk in twenty holds


def term_weights(keywords: Keywords) -> Callable[[str], float]:
    """Inverse document frequency of a token among the corpus's chunks (as in BM25, Robertson and Zaragoza 2009)."""
    total = max(keywords.size(), 1)

    @lru_cache(4096)
    def weigh(token: str) -> float:
        n = keywords.document_frequency(token)
        return math.log(1 + (total - n + 0.5) / (n + 0.5))

    return weigh


def about(question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits that hold a code or clause number the question asks for; all of them where none does, or none is asked for.

    What holds for one machine is no answer for another, however alike the sentences are.
    """
    codes = exact_tokens(question)
    named = [h for h in hits if codes & set(tokens(f"{h.chunk.context}\n{h.chunk.text}"))]
    return named or list(hits)


def strays(question: str, sentence: str, spans: str) -> bool:
    """Does `sentence` speak of another machine or clause by its code, and nothing that it stands on of the one asked for?"""
    asked, said = exact_tokens(question), exact_tokens(sentence)
    return bool(asked and said and not asked & said and not asked & set(tokens(spans)))


def evidence(question: str, hits: Sequence[Hit], weigh: Callable[[str], float]) -> float:
    """The best hit's share of the question's words by weight, or its cosine if higher; 0 where a code asked for is nowhere.

    A code or clause number that no hit has means that the documents are silent, however near the rest is.
    """
    if not hits:
        return 0.0
    has = [set(tokens(f"{h.chunk.context}\n{h.chunk.text}")) for h in hits]
    everywhere = set().union(*has)
    codes = exact_tokens(question)
    if codes and not any(code in everywhere for code in codes):
        return 0.0
    if any(code in has[0] and weigh(code) >= RARE for code in codes):
        return 1.0  # the thing itself was asked for by name, and here it is
    asked = set(tokens(question))
    total = sum(map(weigh, asked)) or 1.0
    covered = max(sum(weigh(t) for t in asked & words) / total for words in has)
    return max(covered, *(h.dense or 0.0 for h in hits))
