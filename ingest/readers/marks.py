"""Marks that belong to the text though no letter of it: list numbers in every style of counting, raised figures."""

from collections.abc import Callable

from ingest.language import language

RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
         (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
STEMS, BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
KANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"


def superscript(text: str) -> str:
    """Raised figures as characters that stay raised: 10 and 3 make 10³, not 103. What has no such character stays."""
    raised = text.strip().translate(RAISED)
    return raised if raised and all(c in "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ" for c in raised) else text


def roman(n: int) -> str:
    """3 → iii. Outside 1..3999, digits."""
    if not 0 < n < 4000:
        return str(n)
    out = ""
    for value, letters in ROMAN:
        out += letters * (n // value)
        n %= value
    return out


def letters(n: int) -> str:
    """2 → b, 27 → aa, as word processors count: the letter doubled, not base 26."""
    return chr(97 + (n - 1) % 26) * ((n - 1) // 26 + 1) if 0 < n <= 780 else str(n)


def han(n: int, digits: str = "零一二三四五六七八九", units: str = "十百千", myriad: str = "万") -> str:
    """21 → 二十一, 101 → 一百零一, 10 → 十."""
    if not 0 < n < 100_000_000:
        return "".join(digits[int(c)] for c in str(n)) if n >= 0 else str(n)
    if n >= 10_000:
        rest = n % 10_000
        gap = digits[0] if 0 < rest < 1000 else ""
        return (
            han(n // 10_000, digits, units, myriad) + myriad + gap + (_thousands(rest, digits, units) if rest else "")
        )
    text = _thousands(n, digits, units)
    return text[1:] if 10 <= n < 20 and digits[1] == "一" else text


def _thousands(n: int, digits: str, units: str) -> str:
    out, gap = "", False
    for power, unit in ((1000, units[2]), (100, units[1]), (10, units[0]), (1, "")):
        digit = n // power % 10
        if digit:
            out += (digits[0] if gap and out else "") + digits[digit] + unit
            gap = False
        else:
            gap = True
    return out


def han_digits(n: int, zero: str = "〇") -> str:
    """101 → 一〇一."""
    return "".join((zero + "一二三四五六七八九")[int(c)] for c in str(n)) if n >= 0 else str(n)


def english_ordinal(n: int) -> str:
    return f"{n}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def _from(first: str, count: int) -> Callable[[int], str]:
    """Characters that follow each other: ① ② ③."""
    return lambda n: chr(ord(first) + n - 1) if 0 < n <= count else str(n)


def _of(characters: str) -> Callable[[int], str]:
    return lambda n: characters[(n - 1) % len(characters)] if n > 0 else str(n)


def _legal(n: int) -> str:
    return han(n, "零壹贰叁肆伍陆柒捌玖", "拾佰仟")


def _counting(n: int) -> str:
    return han(n) if n < 100 else han_digits(n, "○")


# The names that OOXML gives its styles of counting. One not listed counts in digits.
STYLES: dict[str, Callable[[int], str]] = {
    "upperRoman": lambda n: roman(n).upper(),
    "lowerRoman": roman,
    "upperLetter": lambda n: letters(n).upper(),
    "lowerLetter": letters,
    "ordinal": english_ordinal,
    "decimalZero": lambda n: f"{n:02}",
    "chineseCounting": _counting,
    "taiwaneseCounting": _counting,
    "chineseCountingThousand": han,
    "taiwaneseCountingThousand": han,
    "japaneseCounting": han,
    "koreanCounting": han,
    "chineseLegalSimplified": _legal,
    "ideographLegalTraditional": lambda n: han(n, "零壹貳參肆伍陸柒捌玖", "拾佰仟", "萬"),
    "ideographDigital": han_digits,
    "japaneseDigitalTenThousand": han_digits,
    "taiwaneseDigital": lambda n: han_digits(n, "○"),
    "ideographTraditional": _of(STEMS),
    "ideographZodiac": _of(BRANCHES),
    "decimalFullWidth": lambda n: str(n).translate(str.maketrans("0123456789", "０１２３４５６７８９")),
    "decimalEnclosedCircle": _from("①", 20),
    "decimalEnclosedCircleChinese": _from("①", 20),
    "decimalEnclosedParen": _from("⑴", 20),
    "decimalEnclosedFullstop": _from("⒈", 20),
    "ideographEnclosedCircle": _from("㊀", 10),
    "aiueoFullWidth": _of(KANA),
    "aiueo": _of(KANA),
    "none": lambda n: "",
}
SHORT = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman", "一": "chineseCountingThousand",
         "一, 二, 三, ...": "chineseCountingThousand", "甲": "ideographTraditional", "①": "decimalEnclosedCircle",
         "①, ②, ③, ...": "decimalEnclosedCircle", "壹": "chineseLegalSimplified", "１, ２, ３, ...": "decimalFullWidth"}  # fmt: skip


def ordinal(n: int, style: str) -> str:
    """`n` as a list counts in `style`: a name of OOXML's, or the first of the series as HTML and ODF have it ("a", "I", "一")."""
    style = SHORT.get(style, style)
    return STYLES[style](n) if style in STYLES else str(n)


def slide_name(number: int, said: str) -> str:
    """What to call a slide without a title, in the language of what it says."""
    return f"第{number}页" if language(said) == "zh" else f"Slide {number}"
