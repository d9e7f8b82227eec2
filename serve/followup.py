"""Follow-ups: a question that leans on the one before is searched together with it."""

import re
from collections.abc import Sequence

from ingest.tokens import exact_tokens, tokens

LEANS = re.compile(
    r"^(?:and|what about|how about|why|also|then|but|so|or)\b|\b(?:it|its|that|those|these|this one|they|them|their|there|the same)\b"
    r"|^(?:那|那么|还有|另外|为什么)|它|其|这个|那个|上述|该|呢[？?]?$",
    re.I,
)
SHORT = 3  # tokens; a question of fewer names no subject of its own


def standalone(question: str, history: Sequence[dict[str, str]]) -> str:
    """The question as it is searched: itself, or the last question before it and itself where it leans on that."""
    asked = [m["content"] for m in history if m.get("role") == "user" and m.get("content", "").strip()]
    leans = LEANS.search(question.strip()) or len(set(tokens(question))) < SHORT
    if not asked or not leans or exact_tokens(question):
        return question
    return f"{asked[-1].strip()[:1000]} {question}"
