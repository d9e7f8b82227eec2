"""Office's equations (OMML) as TeX, the way of writing a formula in a line that readers and models know best."""

import re
from collections.abc import Callable
from typing import Any
from unicodedata import normalize

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
SIGNS = {"∑": "\\sum", "∏": "\\prod", "∐": "\\coprod", "∫": "\\int", "∬": "\\iint", "∭": "\\iiint", "∮": "\\oint", "∯": "\\oiint",
         "∰": "\\oiiint", "⋃": "\\bigcup", "⋂": "\\bigcap", "⋁": "\\bigvee", "⋀": "\\bigwedge", "×": "\\times ", "÷": "\\div ",
         "⋅": "\\cdot ", "·": "\\cdot ", "∙": "\\cdot ", "±": "\\pm ", "∓": "\\mp ", "≤": "\\leq ", "≥": "\\geq ", "≠": "\\neq ",
         "≈": "\\approx ", "∞": "\\infty ", "∂": "\\partial ", "∇": "\\nabla ", "→": "\\to ", "∈": "\\in ", "∪": "\\cup ", "∩": "\\cap ",
         "…": "\\ldots ", "−": "-", "α": "\\alpha ", "β": "\\beta ", "γ": "\\gamma ", "δ": "\\delta ", "ε": "\\epsilon ",
         "ϵ": "\\epsilon ", "η": "\\eta ", "θ": "\\theta ", "κ": "\\kappa ", "λ": "\\lambda ", "μ": "\\mu ", "ν": "\\nu ", "ξ": "\\xi ",
         "π": "\\pi ", "ρ": "\\rho ", "σ": "\\sigma ", "τ": "\\tau ", "φ": "\\phi ", "χ": "\\chi ", "ψ": "\\psi ", "ω": "\\omega ",
         "Γ": "\\Gamma ", "Δ": "\\Delta ", "Θ": "\\Theta ", "Λ": "\\Lambda ", "Σ": "\\Sigma ", "Φ": "\\Phi ", "Ψ": "\\Psi ",
         "Ω": "\\Omega "}  # fmt: skip
NAMES = frozenset("arccos arcsin arctan cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim ln log max min sec sin sinh sup "
                  "tan tanh".split())  # fmt: skip
ACCENTS = {"̂": "hat", "̃": "tilde", "̄": "bar", "̅": "overline", "⃗": "vec", "̇": "dot", "̈": "ddot", "̌": "check"}
SLANTED = re.compile("[\U0001d400-\U0001d7ff]")  # letters of mathematics: 𝑓 is f, for TeX slants it anyway
MAX_DEPTH = 60


def tex(element: Any, depth: int = 0) -> str:
    """The formula under `element` in TeX, without the dollar signs."""
    if depth > MAX_DEPTH:
        return "".join(t.text or "" for t in element.iter(M + "t"))
    tag = element.tag if isinstance(element.tag, str) else ""
    if tag == M + "r":
        text = SLANTED.sub(
            lambda found: normalize("NFKC", found[0]), "".join(t.text or "" for t in element.iter(M + "t"))
        )
        return "".join(SIGNS.get(c, c) for c in text)
    if tag.endswith("Pr"):
        return ""
    shape = SHAPES.get(tag.removeprefix(M))
    return shape(element, depth + 1) if shape else _all(element, depth + 1)


def _all(element: Any, depth: int) -> str:
    return "".join(tex(child, depth) for child in element) if element is not None else ""


def _part(element: Any, name: str, depth: int) -> str:
    return _all(element.find(M + name), depth).strip()


def _property(element: Any, name: str, otherwise: str) -> str:
    found = element.find(f"{M}{element.tag.removeprefix(M)}Pr/{M}{name}")
    return str(found.get(M + "val", "")) if found is not None else otherwise


def _fraction(e: Any, depth: int) -> str:
    above, below = _part(e, "num", depth), _part(e, "den", depth)
    if _property(e, "type", "bar") == "noBar":
        return f"\\genfrac{{}}{{}}{{0pt}}{{}}{{{above}}}{{{below}}}"
    return f"\\frac{{{above}}}{{{below}}}"


def _root(e: Any, depth: int) -> str:
    degree = _part(e, "deg", depth)
    return f"\\sqrt{f'[{degree}]' if degree else ''}{{{_part(e, 'e', depth)}}}"


def _operator(e: Any, depth: int) -> str:
    sign = _property(e, "chr", "∫")
    below, above = _part(e, "sub", depth), _part(e, "sup", depth)
    limits = (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")
    return f"{SIGNS.get(sign, sign).strip()}{limits}{'' if limits else ' '}{_part(e, 'e', depth)}"


def _brackets(e: Any, depth: int) -> str:
    left, right = _property(e, "begChr", "("), _property(e, "endChr", ")")
    inner = _property(e, "sepChr", "|").join(_all(part, depth) for part in e.findall(M + "e"))
    escaped = {"{": "\\{", "}": "\\}", "": "."}
    return f"\\left{escaped.get(left, left)}{inner}\\right{escaped.get(right, right)}"


def _function(e: Any, depth: int) -> str:
    name = _part(e, "fName", depth)
    word = name.split("_", 1)[0].split("^", 1)[0]
    if word in NAMES:
        name = "\\" + name
    elif word.isalpha() and word.isascii():
        name = f"\\operatorname{{{word}}}{name[len(word) :]}"
    argument = _part(e, "e", depth)
    return name + ("" if argument[:1] in "\\({[" else " ") + argument


def _matrix(e: Any, depth: int) -> str:
    rows = (" & ".join(_all(cell, depth) for cell in row.findall(M + "e")) for row in e.findall(M + "mr"))
    return "\\begin{matrix}" + " \\\\ ".join(rows) + "\\end{matrix}"


def _lines(e: Any, depth: int) -> str:
    return "\\begin{aligned}" + " \\\\ ".join(_all(line, depth) for line in e.findall(M + "e")) + "\\end{aligned}"


def _accent(e: Any, depth: int) -> str:
    return f"\\{ACCENTS.get(_property(e, 'chr', '̂'), 'hat')}{{{_part(e, 'e', depth)}}}"


def _group(e: Any, depth: int) -> str:
    over = _property(e, "pos", "bot") == "top"
    return f"\\{'overbrace' if over else 'underbrace'}{{{_part(e, 'e', depth)}}}"


SHAPES: dict[str, Callable[[Any, int], str]] = {
    "f": _fraction,
    "rad": _root,
    "nary": _operator,
    "d": _brackets,
    "func": _function,
    "m": _matrix,
    "eqArr": _lines,
    "acc": _accent,
    "groupChr": _group,
    "bar": lambda e, n: f"\\{'overline' if _property(e, 'pos', 'bot') == 'top' else 'underline'}{{{_part(e, 'e', n)}}}",
    "sSup": lambda e, n: f"{_part(e, 'e', n)}^{{{_part(e, 'sup', n)}}}",
    "sSub": lambda e, n: f"{_part(e, 'e', n)}_{{{_part(e, 'sub', n)}}}",
    "sSubSup": lambda e, n: f"{_part(e, 'e', n)}_{{{_part(e, 'sub', n)}}}^{{{_part(e, 'sup', n)}}}",
    "sPre": lambda e, n: f"{{}}_{{{_part(e, 'sub', n)}}}^{{{_part(e, 'sup', n)}}}{_part(e, 'e', n)}",
    "limLow": lambda e, n: f"{_part(e, 'e', n)}_{{{_part(e, 'lim', n)}}}",
    "limUpp": lambda e, n: f"{_part(e, 'e', n)}^{{{_part(e, 'lim', n)}}}",
}
