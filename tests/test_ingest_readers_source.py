"""Source code: each language's definitions, names, comments and imports; whatever the file, nothing in it is lost."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora import UserError
from ingest.readers import read
from ingest.readers.source import GRAMMARS, LONG
from ingest.readers.syntax import cuts
from ingest.readers.writer import CONTROL
from ingest.schema import Document

SHIPPED = sorted(
    p for p in (Path(__file__).parent.parent / "corpora/code/documents").rglob("*.*") if p.suffix in GRAMMARS
)


def pieces(document: Document) -> list[tuple[str, str, str]]:
    """`(name, header, text)` of each block."""
    return [(" › ".join(b.path), b.header, document.text[b.start : b.end]) for b in document.blocks]


def source(folder: Path, name: str, text: str) -> dict[str, tuple[str, str]]:
    """Read `text` as a file called `name`: `{name of a piece: (header, text)}`, the first of each name."""
    (folder / name).write_text(text, encoding="utf-8")
    document = read(folder / name)
    assert bare(document.text) == bare(text)
    found: dict[str, tuple[str, str]] = {}
    for piece, header, body in pieces(document):
        found.setdefault(piece, (header, body))
    return found


def bare(text: str) -> str:
    return "".join(CONTROL.sub("", text).split())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_shipped_code_is_kept_to_the_letter(path: Path) -> None:
    document = read(path)
    text = path.read_text(encoding="utf-8")
    assert bare(document.text) == bare(text)
    for block in document.blocks:
        assert document.text[block.start : block.end] in text, "a piece is a run of the file's own characters"


def test_python(tmp_path: Path) -> None:
    text = '''"""What it is."""
from __future__ import annotations

import os.path as p
import time, json
from .errors import (
    Lost,  # gone
    Found as F,
)

LIMIT = 3  # of tries


# Builds things.
# Slowly.
@cached(maxsize=3)
async def build(x):
    time.sleep(1)

    return p.join(x), F


class Shop:
    """Sells."""

    open: bool = True

    # What it earns.
    @property
    def sales(self):
        def inner():
            return json
        return Lost

    closed = False

    class Till:
        def ring(self): ...

if __name__ == "__main__":
    build("x")
'''
    found = source(tmp_path, "a.py", text)
    assert list(found) == [
        "",
        "def build",
        "class Shop",
        "class Shop › def sales",
        "class Shop › class Till › def ring",
    ]
    assert "LIMIT = 3  # of tries" in found[""][1] and found[""][0] == ""
    assert (
        found["def build"][1].startswith("# Builds things.\n# Slowly.\n@cached")
        and "\n\n    return" in found["def build"][1]
    )
    assert found["def build"][0] == "time, os.path, errors.Found"
    assert found["class Shop"][1] == 'class Shop:\n    """Sells."""\n\n    open: bool = True'
    assert found["class Shop › def sales"][1].startswith("    # What it earns.\n    @property")
    assert found["class Shop › def sales"][0] == "json, errors.Lost"
    document = read(tmp_path / "a.py")
    assert pieces(document)[4] == ("class Shop", "", "    closed = False")
    assert pieces(document)[-1][0] == "" and "__main__" in pieces(document)[-1][2]


def test_javascript(tmp_path: Path) -> None:
    text = """import fs, { join as j } from "node:path";
const { get } = require('http');

/** Waits.
 *  Long. */
export function wait(ms) { return get(ms); }

export const later = async (ms) => { await j(ms); };
module.exports.now = function () { return fs; };

export default class Box extends Base {
  #n = 0;
  /** Opens it. */
  async open() { return this.#n; }
  close = () => { get(); };
}
"""
    found = source(tmp_path, "a.mjs", text)
    assert list(found) == [
        "", "function wait", "later()", "module.exports.now()", "class Box", "class Box › open()", "class Box › close()",
    ]  # fmt: skip
    assert found["function wait"] == (
        "http.get",
        "/** Waits.\n *  Long. */\nexport function wait(ms) { return get(ms); }",
    )
    assert found["later()"][0] == "node:path.join" and found["module.exports.now()"][0] == "node:path"
    assert found["class Box › open()"][1] == "  /** Opens it. */\n  async open() { return this.#n; }"
    assert found["class Box › close()"][1].endswith("\n}"), "a bracket stays with what it closes"


def test_what_an_old_module_wraps_is_found(tmp_path: Path) -> None:
    body = "".join(
        f"  // The {w}.\n  function {w}() {{\n    return {w!r} + {'x' * 200!r};\n  }}\n"
        for w in ("one", "two", "three")
    )
    found = source(
        tmp_path, "a.js", f"(function (root, factory) {{ root.x = factory(); }})(this, function () {{\n{body}}});\n"
    )
    assert list(found) == ["function one", "function two", "function three"]
    assert found["function two"][1].startswith("  // The two.")


def test_typescript(tmp_path: Path) -> None:
    text = """import type { Foo } from "./foo";
/** What it takes. */
export interface Props { a: number; b?: Foo }
export type Id = string | number;
enum Kind { A, B }
@Component({ selector: "x" })
export abstract class Panel<T> {
  private n = 0;
  @Input()
  title = "";
  abstract draw(): void;
  render(p: Props): Foo { return p.b; }
}
namespace Geo { export function area(): number { return 1; } }
declare module "m" { export function q(): void; }
"""
    found = source(tmp_path, "a.ts", text)
    assert list(found) == [
        "", "interface Props", "type Id", "enum Kind", "class Panel", "class Panel › draw()", "class Panel › render()",
        "namespace Geo › function area", 'module "m" › function q',
    ]  # fmt: skip
    assert found["interface Props"][0] == "./foo.Foo" and found["class Panel"][1].startswith("@Component")
    jsx = source(tmp_path, "a.tsx", "export default function App({ a }: Props) { return <Panel a={a}>x</Panel>; }\n")
    assert list(jsx) == ["function App"]


def test_java(tmp_path: Path) -> None:
    text = """package a.b;
import java.util.List;
import static java.lang.Math.max;

/** A shop. */
@Service
public class Shop extends Base {
    private final List<String> names;

    /** Makes it. */
    public Shop(List<String> names) { this.names = names; }

    @Override
    public int size() { return max(names.size(), 1); }

    enum Kind { X; int f() { return 1; } }
}
record Point(int x, int y) { Point { assert x > 0; } }
"""
    found = source(tmp_path, "Shop.java", text)
    assert list(found) == [
        "", "class Shop", "class Shop › Shop()", "class Shop › size()", "class Shop › enum Kind › f()", "record Point › Point()",
    ]  # fmt: skip
    assert (
        found["class Shop"][1].startswith("/** A shop. */\n@Service\npublic class")
        and found["class Shop"][0] == "java.util.List"
    )
    assert found["class Shop › size()"] == (
        "java.lang.Math.max",
        "    @Override\n    public int size() { return max(names.size(), 1); }",
    )


def test_go(tmp_path: Path) -> None:
    text = """// Package tide does it.
package tide

import (
\t"net/http"
\tlog "github.com/x/slog/v2"
)

const limit = 3 // of tries

// Box holds.
type Box[T any] struct {
\tN int
}

// Open opens.
func (b *Box[T]) Open() error {
\tlog.Print(http.StatusOK)
\treturn nil
}

func main() {}
"""
    found = source(tmp_path, "a.go", text)
    assert list(found) == ["", "type Box", "func Box[T].Open", "func main"]
    assert found["func Box[T].Open"][0] == "github.com/x/slog/v2, net/http"
    assert (
        found["func Box[T].Open"][1].startswith("// Open opens.\nfunc")
        and "\tlog.Print" in found["func Box[T].Open"][1]
    )


def test_c(tmp_path: Path) -> None:
    text = """#ifndef A_H
#define A_H
#include <stdint.h>
#include "sub/queue.h"

/* Adds. */
int add(int a, int b);

/* A point. */
typedef struct point { int x; } point_t;
struct node { struct node *next; };

/* Twice. */
static inline int *twice(queue *q, int (*f)(int)) { return f(2); }
#endif /* A_H */
"""
    found = source(tmp_path, "a.h", text)
    assert list(found) == ["", "typedef point_t", "struct node", "twice()"]
    assert "/* Adds. */\nint add" in found[""][1]
    assert found["twice()"][0] == "sub/queue.h" and found["twice()"][1].endswith("#endif /* A_H */")


@pytest.mark.parametrize("name", ["a.cpp", "a.hpp", "a.cc", "a.h"])
def test_cpp(tmp_path: Path, name: str) -> None:
    text = """#include "Pump.hpp"
namespace tide {
/** A pump. */
template <typename T>
class Valve : public Base<T> {
 public:
  Valve() : n_(0) {}
  /// Opens.
  void open(Pump *p) { n_ = 1; }
  int speed() const;

 private:
  int n_;
};

// Reads it.
template <typename T>
int Valve<T>::speed() const { return n_; }

enum class Color { red, green };
}  // namespace tide
"""
    found = source(tmp_path, name, text)
    assert list(found) == [
        "", "namespace tide › class Valve", "namespace tide › class Valve › Valve()", "namespace tide › class Valve › open()",
        "namespace tide › Valve<T>::speed()", "namespace tide › enum Color",
    ]  # fmt: skip
    assert found["namespace tide › class Valve › open()"] == (
        "Pump.hpp",
        "  /// Opens.\n  void open(Pump *p) { n_ = 1; }",
    )
    assert found["namespace tide › Valve<T>::speed()"][1].startswith("// Reads it.\ntemplate")


def test_rust(tmp_path: Path) -> None:
    text = """//! The crate.
use std::sync::{Arc, Mutex as M};
use crate::a::{self, b::{c, d}};

/// A pool.
#[derive(Debug)]
pub struct Pool { n: Arc<u8> }

impl Pool {
    /// A new one.
    #[inline]
    pub fn new() -> M<u8> { d(); a::x() }
}

impl Drop for Pool {
    fn drop(&mut self) {}
}

pub trait Shape { fn area(&self) -> f64; }
macro_rules! m { () => {} }
const LIMIT: usize = 3;
"""
    found = source(tmp_path, "a.rs", text)
    assert list(found) == [
        "", "struct Pool", "impl Pool › fn new", "impl Drop for Pool › fn drop", "trait Shape › fn area", "macro m",
    ]  # fmt: skip
    assert found["struct Pool"] == ("std::sync::Arc", "/// A pool.\n#[derive(Debug)]\npub struct Pool { n: Arc<u8> }")
    assert found["impl Pool › fn new"][0] == "std::sync::Mutex, crate::a::b::d, crate::a"


def test_code_with_mistakes_is_read_around_them(tmp_path: Path) -> None:
    text = "import os\n\ndef good(x):\n    return os\n\n"
    text += "class Half:\n    def f(self)\n        return 1\n\n    def g(self):\n        return (2\n"
    found = source(tmp_path, "a.py", text)
    assert found["def good"] == ("os", "def good(x):\n    return os")


def test_other_languages_by_what_names_a_piece(tmp_path: Path) -> None:
    text = "".join(
        f"# The {w}.\n[tool.{w}]\n" + "".join(f"key{n} = {n}\n" for n in range(50)) + "\n" for w in ("one", "two")
    )
    found = source(tmp_path, "a.toml", text)
    assert list(found) == ["tool.one", "tool.two"] and found["tool.two"][1].startswith("# The two.\n[tool.two]")
    sql = "".join(f"-- The {w}.\nCREATE TABLE IF NOT EXISTS {w} (\n{'  a INT,' * 50}\n);\n" for w in ("one", "two"))
    assert list(source(tmp_path, "a.sql", sql)) == ["CREATE TABLE IF NOT EXISTS one", "CREATE TABLE IF NOT EXISTS two"]
    small = "version: 3\n\nservices:\n  a: 1\n\nvolumes:\n  b: 2\n"
    assert list(source(tmp_path, "a.yaml", small)) == [""], "a small file stays whole"
    lock = "packages:\n" + "".join(f"  p{n}:\n    version: {n}\n\n" for n in range(99))
    assert list(source(tmp_path, "pnpm-lock.yaml", lock)) == [""]


def test_minified_code_is_noted_and_cut_by_length(tmp_path: Path) -> None:
    text = "".join(f"function f{n}(a,b){{return a+b*{n}}}var x{n}=f{n}(1,2);" for n in range(2000))
    source(tmp_path, "a.min.js", text)
    document = read(tmp_path / "a.min.js")
    assert document.notes == {"minified files": 1}
    assert max(b.end - b.start for b in document.blocks) <= LONG and len(document.blocks) < len(text) / LONG * 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_code_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    text = "def 检查():\n    # 设备每三个月检查一次，并记录在案，不得延误。\n    return '设备每三个月检查一次，并记录在案。'\n"
    (tmp_path / "a.py").write_bytes(text.encode(encoding))
    assert pieces(read(tmp_path / "a.py")) == [("def 检查", "", text.rstrip())]


@pytest.mark.parametrize(
    "opening", ["(", "[", "{", "if a:\n", "class A {", "a?b:", "`${", "<a>", "/*", "#if A\n", "namespace a {"]
)
@pytest.mark.parametrize("name", ["a.py", "a.tsx", "a.cpp", "a.rs"])
def test_no_nesting_is_too_deep(tmp_path: Path, name: str, opening: str) -> None:
    source(tmp_path, name, opening * 20_000)


def test_a_tree_that_takes_too_long_is_given_up_and_the_next_is_not() -> None:
    with pytest.raises(TimeoutError):
        cuts(b"@a\n" * 50_000, "rust", 600, patience=0.05)
    found, _ = cuts(b"fn f() {}\nfn g() {}\n", "rust", 600)
    assert [cut.name for cut in found] == ["", "fn f", "fn g"]


def test_indentation_that_grows_without_end(tmp_path: Path) -> None:
    source(tmp_path, "a.py", "".join(f"{' ' * n}class C{n}:\n" for n in range(400)))


FRAGMENTS = [
    "def f(x):\n", "class A:\n", "class A {\n", "    ", "\t", "\n", "\n\n\n", " ", "}", "{", "(", ")", ";", "# note\n", "// note\n",
    "/* note */", "/** note", "*/", "@deco\n", "#[attr]\n", "function f() {", "const f = () => 1;", "import a, b\n",
    "from x import (y as z)\n", 'import { a as b } from "c";\n', "use a::{b, c as d};\n", '#include "a.h"\n', 'import "a/b"\n',
    "public int f() { return 1; }\n", "func (a *B) c() {}\n", "fn f() {}\n", "impl A for B {", "namespace n {", "template <class T>\n",
    "#ifdef A\n", "#endif\n", "typedef struct { int a; } b;\n", "'''", '"', "`", "\\\n", "设备", "ü", "\u2028", "\x0c", "x = 1\n",
    "return (1,", "export default ", "async ", "if a:\n", "[t]\n", "key: 1\n", "CREATE TABLE a (\n", "f() {\n", "x" * (LONG + 7),
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=8)), min_size=1, max_size=60),
    suffix=st.sampled_from([*sorted(GRAMMARS), ".sh", ".sql", ".toml", ".yaml", ".rb"]),
)
def test_nothing_of_any_text_is_lost(tmp_path_factory: pytest.TempPathFactory, parts: list[str], suffix: str) -> None:
    text = "".join(parts).replace("\0", "")
    path = tmp_path_factory.mktemp("code") / f"a{suffix}"
    path.write_bytes(text.encode("utf-8", "replace"))
    text = path.read_text(encoding="utf-8")
    try:
        document = read(path)
    except UserError:
        assert not bare(text), "only a file without text is refused"
        return
    assert bare(document.text) == bare(text)
    at = 0
    for block in document.blocks:
        assert document.text[at : block.start].strip() == "" and document.text[block.start : block.end].strip()
        at = block.end
    assert at == len(document.text)
