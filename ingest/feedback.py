"""Feedback terms: words that the best chunks of a first search share are searched for too.

It stands in for meaning where the embedding model does not read the question's language. A relevance model after Lavrenko and Croft
(2001), each word weighed by how rare it is, mixed with the question as in RM3 (Abdul-Jaleel et al. 2004).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

# Of a score. The shipped assistants' `seen` questions find most at this weight; sentences taken out of a corpus, by which the weight of
# meaning is fitted, name what they are of so exactly that they need no others.
WEIGHT = 0.2
CHUNKS = 10  # best ones that are believed
TERMS = 50  # most telling words of theirs


def feedback_terms(believed: Sequence[tuple[Sequence[str], float]], idf: Callable[[str], float]) -> dict[str, float]:
    """The words of `believed`, tokens and score of each chunk, with weights that add up to 1."""
    total = sum(score for _, score in believed) or 1.0
    weights: Counter[str] = Counter()
    for words, score in believed:
        for word, count in Counter(words).items():
            weights[word] += score / total * count / max(len(words), 1)  # type: ignore[assignment]
    best = Counter({word: weight * idf(word) for word, weight in weights.items()}).most_common(TERMS)
    whole = sum(weight for _, weight in best) or 1.0
    return {word: weight / whole for word, weight in best}


def mix(asked: Mapping[str, float], shared: Mapping[str, float], weight: float = WEIGHT) -> dict[str, float]:
    """Both searches' scores over their best, the second at `weight`: between 0 and 1 for each chunk."""
    first, second = max(asked.values(), default=0.0) or 1.0, max(shared.values(), default=0.0) or 1.0
    return {i: (1 - weight) * (asked.get(i, 0.0) / first) + weight * (shared.get(i, 0.0) / second) for i in {*asked, *shared}}
