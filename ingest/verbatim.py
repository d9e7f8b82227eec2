"""Questions that were copied from a document."""

from ingest.tokens import fold

QUOTE, MAX_QUOTE = 12, 1000  # characters of a question that may be copied from a document; a word or two is no quote


def holding(query: str, texts: dict[str, str]) -> set[str]:
    """Of `texts`, the keys of those that hold the whole query as it stands, white space apart: it was copied from there."""
    wanted = _solid(query)
    return {key for key, text in texts.items() if wanted in _solid(text)} if QUOTE <= len(wanted) <= MAX_QUOTE else set()


def _solid(text: str) -> str:
    return "".join(fold(text).casefold().split())
