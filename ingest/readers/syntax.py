"""Where the definitions of a source file begin, and what each is called, by the syntax tree of its language.

The trees are walked without recursion and only as deep as definitions hold definitions, so that no nesting is too deep.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from time import thread_time

from tree_sitter import Language, Node, Parser, Tree

TRAIL = " › "
DEEPEST = 12  # definitions inside definitions; what lies deeper stays in one piece
NAME = 80  # characters of a definition's name
READ = 2**16  # bytes handed to the parser at a time
PATIENCE = 10.0  # seconds of computing for one tree: real code takes half a second for a megabyte
STEPS = 8  # from a statement down to the body of the function that it wraps
COMMENTS = {"comment", "line_comment", "block_comment", "attribute_item", "inner_attribute_item", "decorator"}
BODIES = {"block", "statement_block", "class_body", "object", "declaration_list", "field_declaration_list"}
# What stands around definitions without being one: its parts count as parts of what is above.
OPEN = {"ERROR", "preproc_ifdef", "preproc_if", "preproc_else", "preproc_elif", "linkage_specification", "declaration_list",
        "enum_body_declarations", "statement_block"}  # fmt: skip
IMPORTS = {"import_statement", "import_from_statement", "import_declaration", "use_declaration", "preproc_include"}
DECLARES = {"lexical_declaration", "variable_declaration"}
NEAR = 400  # bytes in which a declaration says that it requires a module


@dataclass(frozen=True, slots=True)
class Syntax:
    """One language: its grammar, the word before the name of each kind of definition, and those that hold others."""

    module: str
    words: dict[str, str]  # node type → "def"; "" for what is named `name()`
    holders: frozenset[str]
    wraps: dict[str, str] = field(default_factory=dict)  # node type → the field that holds the definition
    values: frozenset[str] = frozenset()  # node types that make `name = …` a definition
    function: str = "language"


SCRIPT = {
    "function_declaration": "function", "generator_function_declaration": "function", "function_signature": "function",
    "class_declaration": "class", "abstract_class_declaration": "class", "interface_declaration": "interface",
    "enum_declaration": "enum", "type_alias_declaration": "type", "internal_module": "namespace", "module": "module",
    "method_definition": "", "abstract_method_signature": "",
}  # fmt: skip
SCRIPT_HOLDERS = frozenset({"class_declaration", "abstract_class_declaration", "internal_module", "module"})
FUNCTIONS = frozenset({"arrow_function", "function_expression", "generator_function", "class"})
EXPORT = {"export_statement": "declaration", "ambient_declaration": "", "expression_statement": ""}
C = {"function_definition": "", "struct_specifier": "struct", "union_specifier": "union", "enum_specifier": "enum",
     "type_definition": "typedef", "preproc_function_def": "define"}  # fmt: skip
CPP = C | {"class_specifier": "class", "namespace_definition": "namespace", "concept_definition": "concept"}
JAVA = {
    "class_declaration": "class", "interface_declaration": "interface", "enum_declaration": "enum", "record_declaration": "record",
    "annotation_type_declaration": "@interface", "method_declaration": "", "constructor_declaration": "",
    "compact_constructor_declaration": "",
}  # fmt: skip
RUST = {
    "function_item": "fn", "function_signature_item": "fn", "struct_item": "struct", "enum_item": "enum", "union_item": "union",
    "trait_item": "trait", "impl_item": "impl", "mod_item": "mod", "macro_definition": "macro", "type_item": "type",
}  # fmt: skip
LANGUAGES = {
    "python": Syntax("tree_sitter_python", {"function_definition": "def", "class_definition": "class"},
                     frozenset({"class_definition"}), {"decorated_definition": "definition"}),
    "javascript": Syntax("tree_sitter_javascript", SCRIPT, SCRIPT_HOLDERS, EXPORT, FUNCTIONS),
    "typescript": Syntax("tree_sitter_typescript", SCRIPT, SCRIPT_HOLDERS, EXPORT, FUNCTIONS, "language_typescript"),
    "tsx": Syntax("tree_sitter_typescript", SCRIPT, SCRIPT_HOLDERS, EXPORT, FUNCTIONS, "language_tsx"),
    "java": Syntax("tree_sitter_java", JAVA, frozenset({"class_declaration", "interface_declaration", "enum_declaration",
                                                        "record_declaration"})),
    "go": Syntax("tree_sitter_go", {"function_declaration": "func", "method_declaration": "func", "type_declaration": "type"},
                 frozenset()),
    "c": Syntax("tree_sitter_c", C, frozenset()),
    "cpp": Syntax("tree_sitter_cpp", CPP, frozenset({"class_specifier", "struct_specifier", "namespace_definition"}),
                  {"template_declaration": ""}),
    "rust": Syntax("tree_sitter_rust", RUST, frozenset({"impl_item", "trait_item", "mod_item"})),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece begins at byte `start`; `name` is the trail of definitions above and in it.

    `defines` where it is one definition to its end; `opens` the end of the body that is walked for others, 0 for none.
    """

    start: int
    name: str
    defines: bool = False
    opens: int = 0


@dataclass(slots=True)
class _Level:
    """A body that is being walked: its parts still to come, and the comments that may lead the next one."""

    parts: Iterator[Node]
    trail: tuple[str, ...]
    lead: Node | None = None
    last: Node | None = None  # the part or comment before


def cuts(data: bytes, language: str, room: int, patience: float = PATIENCE) -> tuple[list[Cut], list[tuple[int, int]]]:
    """Where pieces begin in `data` (UTF-8), and the `(start, end)` of its imports, both in order.

    Statements that define nothing run together up to `room` bytes. Raises `TimeoutError` where the text is so far from the
    language that its tree would take over `patience` seconds.
    """
    syntax = LANGUAGES[language]
    tree = _parse(data, language, patience)
    found = [Cut(0, "")]
    imports: list[tuple[int, int]] = []
    levels = [_Level(_parts(tree.root_node), ())]
    while levels:
        level = levels[-1]
        node = next(level.parts, None)
        if node is None:
            levels.pop()
            continue
        if not node.is_named:
            continue
        if node.type in COMMENTS:
            _lead(level, node, found[-1])
            continue
        start = (level.lead or node).start_byte
        level.lead, level.last = None, node
        if node.type in IMPORTS or (
            node.type in DECLARES and b"require(" in data[node.start_byte : node.start_byte + NEAR]
        ):
            imports.append((node.start_byte, node.end_byte))
        definition = _definition(node, syntax)
        deep = len(levels) > DEEPEST
        if definition:
            what, label = definition
            trail = (*level.trail, label)
            body = _body(what) if what.type in syntax.holders and not deep else None
            found.append(Cut(start, TRAIL.join(trail), body is None, body.end_byte if body else 0))
            if body:
                levels.append(_Level(_parts(body), trail))
            continue
        above = TRAIL.join(level.trail)
        inside = (
            None if deep else node if node.type in OPEN else _wrapped(node) if node.end_byte - start > room else None
        )
        if found[-1].defines or found[-1].name != above or node.end_byte - found[-1].start > room:
            found.append(Cut(start, above, opens=inside.end_byte if inside else 0))
        if inside:
            levels.append(_Level(_parts(inside), level.trail))
    return found, imports


@cache
def _parser(language: str) -> Parser:
    syntax = LANGUAGES[language]
    return Parser(Language(getattr(import_module(syntax.module), syntax.function)()))


def _parse(data: bytes, language: str, patience: float) -> Tree:
    parser, begun = _parser(language), thread_time()
    try:
        return parser.parse(
            lambda at, _: data[at : at + READ], progress_callback=lambda at, _: thread_time() - begun > patience
        )
    except ValueError:
        parser.reset()  # else it would go on with this text
        raise TimeoutError from None


def _parts(node: Node) -> Iterator[Node]:
    cursor = node.walk()
    more = cursor.goto_first_child()
    while more:
        if cursor.node is not None:
            yield cursor.node
        more = cursor.goto_next_sibling()


def _lead(level: _Level, comment: Node, piece: Cut) -> None:
    """Let a comment lead the part after it, unless it ends the line of the one before or stands apart from what follows."""
    last, level.last = level.last, comment
    if last is not None and last.end_point.row == comment.start_point.row and level.lead is None:
        return
    apart = last is not None and comment.start_point.row > last.end_point.row + 1
    if level.lead is None or (apart and not piece.defines):
        level.lead = comment


def _definition(node: Node, syntax: Syntax) -> tuple[Node, str] | None:
    """The definition that `node` is or wraps, and what to call it: `class Client`, `retry_delay()`."""
    what = node
    if node.type in syntax.wraps:
        inner = node.child_by_field_name(syntax.wraps[node.type]) if syntax.wraps[node.type] else None
        what = inner or next((n for n in _parts(node) if n.type in syntax.words), node)
    if what.type in syntax.words:
        if what.type in ("struct_specifier", "union_specifier", "enum_specifier") and not _body(what):
            return None
        word, name = syntax.words[what.type], _name(what)
        return what, f"{word} {name}".strip() if word else f"{name or '?'}()"
    if syntax.values and (name := _assigned(what, syntax.values)):
        return what, f"{name}()"
    return None


def _name(node: Node) -> str:
    if node.type == "type_declaration":  # Go: one, or several in brackets
        specs = [n for n in _parts(node) if n.type in ("type_spec", "type_alias")]
        return ", ".join(_text(n.child_by_field_name("name")) for n in specs[:4])
    if node.type == "impl_item":
        trait, of = _text(node.child_by_field_name("trait")), _text(node.child_by_field_name("type"))
        return f"{trait} for {of}" if trait else of
    if node.type == "method_declaration" and (receiver := node.child_by_field_name("receiver")):
        types = _text(receiver).strip("() ").split()
        return f"{types[-1].lstrip('*') if types else ''}.{_text(node.child_by_field_name('name'))}"
    name = node.child_by_field_name("name")
    for _ in range(STEPS):  # C: a pointer to a function that takes …
        if name is not None:
            break
        inner = node.child_by_field_name("declarator")
        if inner is None:
            break
        node = inner
        if node.type.endswith("identifier") or node.type.endswith("_name"):
            name = node
    return _text(name)


def _text(node: Node | None) -> str:
    return " ".join((node.text or b"").decode("utf-8", "replace").split())[:NAME] if node else ""


def _body(node: Node) -> Node | None:
    return node.child_by_field_name("body")


def _assigned(node: Node, values: frozenset[str]) -> str:
    """The name that a statement or field gives a function: `const f = () => …`, `exports.f = function …`, `f = () => …`."""
    if node.type in DECLARES:
        node = next((n for n in _parts(node) if n.type == "variable_declarator"), node)
    elif node.type == "expression_statement":
        node = next((n for n in _parts(node) if n.type == "assignment_expression"), node)
    elif node.type not in ("field_definition", "public_field_definition", "pair"):
        return ""
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    if value is None or value.type not in values:
        return ""
    names = (node.child_by_field_name(f) for f in ("name", "left", "property", "key"))
    return _text(next((n for n in names if n), None))


def _wrapped(node: Node) -> Node | None:
    """The body of the function, object or branch that makes up most of a long statement, if there is one."""
    for _ in range(STEPS):
        widest = max(_parts(node), key=lambda n: n.end_byte - n.start_byte, default=None)
        if widest is None or 2 * (widest.end_byte - widest.start_byte) < node.end_byte - node.start_byte:
            return None
        if widest.type in BODIES:
            return widest
        node = widest
    return None
