"""Symbols: which characters the fonts Symbol and Wingdings show for the codes that Word writes."""

import re

# What the Symbol font shows for the places of a to z and of the signs in use; Wingdings' boxes and ticks.
SYMBOL = dict(zip("abgdezhqiklmnxoprstufcywDGLPSWFQ", "αβγδεζηθικλμνξοπρστυφχψωΔΓΛΠΣΩΦΘ", strict=True))
SYMBOL |= {chr(0xA3): "≤", chr(0xB3): "≥", chr(0xB1): "±", chr(0xB0): "°", chr(0xB4): "×", chr(0xB8): "÷", chr(0xB9): "≠",
           chr(0xA5): "∞", chr(0xAE): "→", chr(0xBB): "≈", chr(0xB7): "•", chr(0xD7): "·", chr(0xC6): "∅", chr(0xD6): "√"}  # fmt: skip
WINGDINGS = {
    chr(0xFC): "✓",
    chr(0xFE): "☑",
    chr(0xA8): "☐",
    chr(0xFB): "✗",
    chr(0xFD): "☒",
    chr(0x6F): "☐",
    chr(0x78): "☒",
    chr(0xE0): "→",
}


def symbol(code: str, font: str) -> str:
    """The character that a font shows for `code`, four hexadecimal figures."""
    if not re.fullmatch(r"[0-9A-Fa-f]{1,4}", code):
        return ""
    value = int(code, 16)
    character = chr(value - 0xF000 if value >= 0xF000 else value)
    if font.startswith("Wingdings"):
        return WINGDINGS.get(character, "")
    return SYMBOL.get(character, character) if font == "Symbol" else character
