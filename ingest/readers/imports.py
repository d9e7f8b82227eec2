"""What a file imports, as `{local name: where it comes from}`, so that a piece of it can say which of that it uses."""

import re
from collections.abc import Callable, Iterator, Sequence

LONGEST = 10_000  # characters of one import statement; nobody writes a longer one by hand
MOST = 160  # characters of what a piece is said to use
WORD = re.compile(r"[^\W\d]\w*")
REMARK = re.compile(r"#[^\n]*|//[^\n]*|\\\n")
PY_FROM = re.compile(r"from\s+([\w.]+)\s+import\s+(.+)", re.S)
JS_FROM = re.compile(r"""import\s+(?:type\s+)?([^'"]+?)\s*from\s*['"]([^'"]+)['"]""")
REQUIRE = re.compile(r"""(?:const|let|var)\s+(\{[^{}]*\}|\w+)\s*=\s*require\(\s*['"]([^'"]+)['"]""")
GO = re.compile(r"""(?:([\w.]+)[ \t]+)?["`]([^"`\n]+)["`]""")
JAVA = re.compile(r"import\s+(?:static\s+)?([\w.]+)\s*;")
INCLUDE = re.compile(r"""#\s*include\s*["<]([^">\n]+)[">]""")
USE = re.compile(r"use\s+(.+?);?\s*\Z", re.S)
Name = tuple[str, str]  # local name, where from


def names(language: str, statements: Sequence[str]) -> dict[str, str]:
    """`{"sleep": "time.sleep"}` of import statements; those that name nothing (`import *`) bring nothing."""
    rule = RULES[language]
    return dict(pair for text in statements if len(text) <= LONGEST for pair in rule(text))


def used(text: str, known: dict[str, str]) -> str:
    """The imports that `text` uses in order of their first use, `re, time.sleep`, cut after a whole one; empty for none."""
    said: list[str] = []
    room = MOST
    for word in dict.fromkeys(WORD.findall(text)) if known else ():
        source = known.get(word)
        if source and source not in said:
            room -= len(source) + 2
            if room < 0:
                break
            said.append(source)
    return ", ".join(said)


def _python(text: str) -> Iterator[Name]:
    text = REMARK.sub(" ", text)
    if found := PY_FROM.match(text):
        module = found[1].lstrip(".")
        for item in found[2].strip("() \n").split(","):
            words = item.split()
            if words and words[0] != "*" and module != "__future__":
                yield words[-1], f"{module}.{words[0]}" if module else words[0]
        return
    for item in text.removeprefix("import").split(","):
        words = item.split()
        if words:
            yield words[2] if len(words) == 3 else words[0].split(".")[0], words[0]


def _script(text: str) -> Iterator[Name]:
    for found in (*JS_FROM.finditer(text), *REQUIRE.finditer(text)):
        clause, module = found[1], found[2]
        for item in re.split(r"[{},]", clause):
            words = [w for w in item.replace(":", " as ").split() if w != "type"]
            if not words:
                continue
            inside = "{" in clause[: clause.find(item)]
            yield words[-1], f"{module}.{words[0]}" if inside else module


def _go(text: str) -> Iterator[Name]:
    for found in GO.finditer(text):
        parts = [p for p in found[2].split("/") if not re.fullmatch(r"v\d+", p)]
        if found[1] not in ("_", "."):
            yield (found[1] if found[1] and found[1] != "import" else parts[-1] if parts else found[2]), found[2]


def _java(text: str) -> Iterator[Name]:
    for found in JAVA.finditer(text):
        yield found[1].rsplit(".", 1)[-1], found[1]


def _c(text: str) -> Iterator[Name]:
    for found in INCLUDE.finditer(text):  # by custom a header bears the name of the type that it declares
        yield re.split(r"[/.]", found[1].removesuffix(".h").removesuffix(".hpp"))[-1], found[1]


def _rust(text: str) -> Iterator[Name]:
    """`use a::{b, c::{d, e as f}};` taken apart with a stack of what stands before each bracket."""
    found = USE.search(text)
    before, path = [""], ""
    for part in re.findall(r"[{},]|[^{},]+", found[1] if found else ""):
        if part == "{":
            before.append(before[-1] + path)
        elif part in ",}":
            yield from _rust_name(path, before[-1])
            if part == "}" and len(before) > 1:
                before.pop()
        path = "" if part in "{}," else " ".join(part.split())
    yield from _rust_name(path, before[-1])


def _rust_name(path: str, before: str) -> Iterator[Name]:
    whole, _, alias = path.partition(" as ")  # `as` gives it another name here
    if whole == "self":
        whole, before = before.removesuffix("::"), ""
    if whole and not whole.endswith(("*", "::")):
        yield (alias.strip() or whole.rsplit("::", 1)[-1]), before + whole.strip()


RULES: dict[str, Callable[[str], Iterator[Name]]] = {
    "python": _python, "javascript": _script, "typescript": _script, "tsx": _script, "go": _go, "java": _java, "c": _c, "cpp": _c,
    "rust": _rust,
}  # fmt: skip
