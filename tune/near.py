"""Near: which texts were met before, word for word or nearly so.

Likeness is Jaccard's over runs of three words, estimated by MinHash (Broder 1997) and looked up by locality-sensitive hashing.
"""

from datasketch import MinHash, MinHashLSH

from ingest.tokens import tokens

ALIKE = 0.8  # share of runs in common
HASHES = 64
RUN = 3  # words


class Near:
    """Texts in the order in which they come."""

    def __init__(self) -> None:
        self._whole: set[tuple[str, ...]] = set()
        self._index = MinHashLSH(threshold=ALIKE, num_perm=HASHES)

    def has(self, text: str) -> bool:
        """Was this text, or one much like it, met before? It is from now on."""
        words = tuple(tokens(text))
        if words in self._whole:
            return True
        runs = {" ".join(words[n : n + RUN]) for n in range(max(len(words) - RUN + 1, 1))}
        sketch = MinHash(num_perm=HASHES)
        sketch.update_batch([run.encode() for run in runs])
        found = bool(self._index.query(sketch))
        self._index.insert(len(self._whole), sketch)
        self._whole.add(words)
        return found
