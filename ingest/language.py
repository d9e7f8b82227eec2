"""Which of the two languages a text is in: Chinese when a fifth of its letters are Chinese characters."""

import re
from typing import Literal

CJK = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
WORD = re.compile(r"[A-Za-z]+")


def language(text: str) -> Literal["en", "zh"]:
    """`zh` or `en`. A Chinese character weighs as much as a word: 请问SK-42的扭矩 is Chinese."""
    chinese = len(CJK.findall(text))
    return "zh" if chinese and chinese >= 0.25 * (chinese + len(WORD.findall(text))) else "en"
