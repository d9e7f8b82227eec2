"""What of a page no one sees, or everyone sees on every page: hidden text, scripts, navigation and footers; counted as they go."""

import re

from lxml import etree

from ingest.readers.writer import Writer

SILENT = frozenset("script style noscript template iframe object svg canvas audio video map head link meta select option datalist "
                   "textarea button embed frame frameset applet".split())  # fmt: skip
BOILERPLATE = frozenset(("nav", "footer"))
ROLES = frozenset(("navigation", "contentinfo", "search"))
CONTENT = frozenset(("article", "section", "main", "blockquote"))  # whose own footer belongs to them
STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|font-size\s*:\s*(?:0(?:\.0*)?[a-z%]*|(?:1|0?\.\d+)(?:px|pt))\s*(?:;|!|$)"
    r"|(?<![\w-])opacity\s*:\s*0(?:\.0*)?\s*(?:;|!|$)|(?<![\w-])color\s*:\s*transparent|transform\s*:\s*scale\(\s*0\s*\)"
    r"|(?<![\w-])(?:left|right|top|bottom|margin-left|margin-top|text-indent)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*0|clip-path\s*:\s*inset\(\s*100%",
    re.I,
)
WHITES = r"(?:white|#f{3,4}|#f{6,8}|rgba?\(\s*255\s*,\s*255\s*,\s*255[^)]*\))(?![\w-])"
WHITE = re.compile(rf"(?<![\w-])color\s*:\s*{WHITES}", re.I)
PAINT = re.compile(rf"background(?:-color|-image)?\s*:\s*(?!\s|{WHITES}|transparent|none|inherit|initial)", re.I)
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
ONE = re.compile(r"([.#])([\w-]+)")
MAX_CSS = 500_000


class Hidden:
    """Which elements of a page are hidden: by attribute, by their own style, by a rule for one class or id in its style sheet.

    White letters are, where nothing paints what is behind them.
    """

    def __init__(self, root: etree._Element) -> None:
        self.classes: set[str] = set()
        self.ids: set[str] = set()
        css = "".join(style.text or "" for style in root.iter("style"))[:MAX_CSS]
        links = (link.get("rel", "").lower() for link in root.iter("link"))
        self.painted = bool(PAINT.search(css)) or "stylesheet" in links  # somewhere: which rule is for what is not looked into
        for selectors, body in RULE.findall(_on_screen(re.sub(r"/\*.*?\*/", "", css, flags=re.S))):
            for selector in selectors.split(",") if self.is_unseen(body) else ():
                if one := ONE.fullmatch(selector.strip()):
                    (self.classes if one[1] == "." else self.ids).add(one[2])

    def take_out(self, root: etree._Element, writer: Writer) -> None:
        """Remove the elements that are not read from the tree, and note how many held text."""
        counts = {"hidden texts left out": 0, "menus and page footers left out": 0}
        for element in list(root.iter()):
            if not isinstance(element.tag, str):  # an entity or an instruction
                continue
            tag = element.tag.rpartition(":")[2].lower()
            if tag in ("html", "body", "head", "title"):
                continue
            hidden = self.hides(element)
            boilerplate = not hidden and self.is_boilerplate(element, tag)
            if hidden or boilerplate or tag in SILENT:
                if tag not in SILENT and "".join(element.itertext()).strip():
                    counts["hidden texts left out" if hidden else "menus and page footers left out"] += 1
                _remove(element)
        for what, count in counts.items():
            writer.note(what, count)

    def hides(self, element: etree._Element) -> bool:
        if element.get("hidden") is not None or element.get("aria-hidden") == "true":
            return True
        style = element.get("style", "") + (f";color:{element.get('color')}" if element.get("color") else "")
        if STYLE.search(style) or element.get("id") in self.ids or (self.is_unseen(style) and not _is_painted(element)):
            return True
        return bool(self.classes) and not self.classes.isdisjoint(element.get("class", "").split())

    def is_unseen(self, style: str) -> bool:
        return bool(STYLE.search(style) or (not self.painted and WHITE.search(style)))

    def is_boilerplate(self, element: etree._Element, tag: str) -> bool:
        if tag == "nav" or element.get("role") in ROLES:
            return True
        return tag == "footer" and not any(above.tag in CONTENT for above in element.iterancestors())


def _is_painted(element: etree._Element) -> bool:
    line = (element, *element.iterancestors())
    return any(PAINT.search(e.get("style", "")) or e.get("bgcolor") or e.get("background") for e in line)


def _on_screen(css: str) -> str:
    """Rules without those of `@media print` and the like, which nest in braces of their own."""
    out, depth, skip, start = [], 0, 0, 0
    for found in re.finditer(r"@[^{};]*\{|[{}]", css):
        mark = found[0]
        if mark == "}":
            depth -= 1
            if skip and depth < skip:
                skip, start = 0, found.end()
        else:
            depth += 1
            if mark[0] == "@" and not skip:
                out.append(css[start : found.start()])
                skip = depth
    return "".join([*out, "" if skip else css[start:]])


def _remove(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is None:
        return
    before = element.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + (element.tail or "")
    else:
        parent.text = (parent.text or "") + (element.tail or "")
    element.tail = None
    parent.remove(element)
