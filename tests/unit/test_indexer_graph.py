"""Names resolve across files as each language resolves them; what cannot be known is not claimed."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Mapping
from typing import Any

import pytest

from pointsman_indexer.graph import Graph
from pointsman_indexer.languages import language_of
from pointsman_indexer.parse import parse
from pointsman_indexer.scope import Definition

_TABLES = """
CREATE TABLE files(path TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE versions(id INTEGER PRIMARY KEY, path TEXT NOT NULL, language TEXT NOT NULL);
CREATE TABLE symbols(
    version INTEGER NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL, qualified TEXT NOT NULL, kind TEXT NOT NULL,
    start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, depth INTEGER NOT NULL, signature TEXT NOT NULL);
"""


class Repository:
    """The catalogue's part of the database, filled by hand."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.executescript(_TABLES + Graph.SCHEMA)
        self.graph = Graph(self.db)
        for path, source in files.items():
            self.write(path, source)

    def write(self, path: str, source: str) -> int:
        language = language_of(path) or ""
        parsed = parse(source.encode(), language)
        version = self.db.execute("INSERT INTO versions(path, language) VALUES (?, ?)", (path, language)).lastrowid
        assert version is not None
        self.db.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (path, version))
        self.db.executemany(
            "INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    version,
                    s.name,
                    s.name.casefold(),
                    s.qualified,
                    s.kind,
                    s.start_line,
                    s.end_line,
                    s.depth,
                    s.signature,
                )
                for s in parsed.symbols
            ],
        )
        self.graph.put(version, pickle.loads(pickle.dumps(parsed)))
        return version

    def goes_to(self, path: str, line: int, name: str) -> str:
        found = self.graph.definition_of(path, line, name)
        return f"{found.path}:{found.symbol.qualified}" if found else ""

    def uses(self, path: str, qualified: str) -> set[tuple[str, int, str, str]]:
        return {(use.path, use.line, use.kind, use.confidence) for use in self.graph.uses(path, qualified)}


PYTHON = {
    "src/shop/__init__.py": "from .cart import Cart\nfrom shop.prices import *\n",
    "src/shop/cart.py": (
        "from . import prices\nfrom .prices import total as sum_up\n\n\nclass Base:\n    def clear(self): ...\n\n\n"
        "class Cart(Base):\n    def add(self, item):\n        self.clear()\n        return prices.total(item)\n\n"
        "    def pay(self):\n        return sum_up(self)\n"
    ),
    "src/shop/prices.py": "def total(item):\n    return item.price\n",
    "src/shop/json.py": "def total():\n    return 2\n",
    "tests/test_shop.py": (
        "import shop\nimport shop.cart as cart_module\nfrom shop import Cart, total\nimport json\n\n\n"
        "def test(total_of=total):\n    basket = Cart()\n    basket.add(1)\n    shop.Cart()\n"
        "    cart_module.Cart.add(basket, 2)\n    json.total()\n\n\n"
        "def other(total):\n    return total\n"
    ),
    "tools/report.py": "def total(): ...\n\n\nprint(total())\nthing.add(3)\n",
}


def test_python_scopes_and_imports() -> None:
    repo = Repository(PYTHON)
    assert repo.goes_to("src/shop/cart.py", 12, "prices.total") == "src/shop/prices.py:total"
    assert repo.goes_to("src/shop/cart.py", 15, "sum_up") == "src/shop/prices.py:total"
    assert repo.goes_to("src/shop/cart.py", 11, "self.clear") == "src/shop/cart.py:Base.clear"
    assert repo.goes_to("tests/test_shop.py", 8, "Cart") == "src/shop/cart.py:Cart"
    assert repo.goes_to("tests/test_shop.py", 7, "total") == "src/shop/prices.py:total"
    assert repo.goes_to("tests/test_shop.py", 10, "shop.Cart.clear") == "src/shop/cart.py:Base.clear"
    assert repo.goes_to("tools/report.py", 4, "total") == "tools/report.py:total"
    assert repo.goes_to("tools/report.py", 4, "pay") == "src/shop/cart.py:Cart.pay", "the repository's only one"
    assert repo.goes_to("tools/report.py", 4, "nothing.at.all") == ""


def test_python_uses() -> None:
    repo = Repository(PYTHON)
    assert repo.uses("src/shop/prices.py", "total") == {
        ("src/shop/cart.py", 2, "import", "resolved"),
        ("src/shop/cart.py", 12, "call", "resolved"),
        ("src/shop/cart.py", 15, "call", "resolved"),
        ("tests/test_shop.py", 3, "import", "resolved"),
        ("tests/test_shop.py", 7, "name", "resolved"),
    }
    assert repo.uses("src/shop/json.py", "total") == set(), "a file in a package does not shadow the standard library"
    assert repo.uses("tools/report.py", "total") == {("tools/report.py", 4, "call", "resolved")}
    assert repo.uses("src/shop/cart.py", "Cart") == {
        ("src/shop/__init__.py", 1, "import", "resolved"),
        ("tests/test_shop.py", 3, "import", "resolved"),
        ("tests/test_shop.py", 8, "call", "resolved"),
        ("tests/test_shop.py", 10, "call", "resolved"),
        ("tests/test_shop.py", 11, "name", "resolved"),
    }
    assert repo.uses("src/shop/cart.py", "Base") == {("src/shop/cart.py", 9, "base", "resolved")}
    assert repo.uses("src/shop/cart.py", "Base.clear") == {("src/shop/cart.py", 11, "call", "resolved")}
    assert repo.uses("src/shop/cart.py", "Cart.add") == {
        ("tests/test_shop.py", 9, "call", "resolved"),
        ("tests/test_shop.py", 11, "call", "resolved"),
    }, "`add` is a method of sets: where nothing speaks of carts it says nothing"
    assert repo.uses("src/shop/cart.py", "Nowhere") == set()


def test_a_use_says_which_definition_it_is_in() -> None:
    uses = Repository(PYTHON).graph.uses("src/shop/prices.py", "total")
    assert {(use.path, use.inside) for use in uses if use.kind == "call"} == {
        ("src/shop/cart.py", "Cart.add"),
        ("src/shop/cart.py", "Cart.pay"),
    }


OTHERS: dict[str, tuple[dict[str, str], tuple[str, int, str], str]] = {
    "typescript": (
        {
            "web/src/cart.ts": "export class Cart { add() {} }\n",
            "web/src/index.ts": "export { Cart as Basket } from './cart';\nexport * from './price.js';\n",
            "web/src/price.ts": "export function price(): number { return 1; }\n",
            "web/app.tsx": "import * as shop from './src';\nconst f = () => <p>{shop.price()}</p>;\n",
        },
        ("web/app.tsx", 2, "shop.price"),
        "web/src/price.ts:price",
    ),
    "typescript renamed": (
        {
            "a/cart.ts": "export class Cart { add() {} }\n",
            "a/index.ts": "export { Cart as Basket } from './cart';\n",
            "b.ts": "import { Basket } from './a';\nnew Basket();\n",
        },
        ("b.ts", 2, "Basket.add"),
        "a/cart.ts:Cart.add",
    ),
    "tsconfig paths": (
        {
            "app/tsconfig.json": '{"compilerOptions": {"baseUrl": ".", /* x */ "paths": {"@/*": ["src/*",],}}}',
            "app/src/lib/money.ts": "export function money() {}\n",
            "app/src/main.ts": "import { money } from '@/lib/money';\nmoney();\n",
        },
        ("app/src/main.ts", 2, "money"),
        "app/src/lib/money.ts:money",
    ),
    "workspace package": (
        {
            "packages/core/package.json": '{"name": "@shop/core", "version": "1.0.0"}',
            "packages/core/src/index.js": "export default function core() {}\n",
            "packages/web/main.js": "import core from '@shop/core';\ncore();\n",
        },
        ("packages/web/main.js", 2, "core"),
        "packages/core/src/index.js:core",
    ),
    "commonjs": (
        {"lib/a.js": "function run() {}\nmodule.exports = { run };\n", "b.js": "const { run } = require('./lib/a');\n"},
        ("b.js", 1, "run"),
        "lib/a.js:run",
    ),
    "go": (
        {
            "svc/go.mod": "module example.com/svc\n\ngo 1.22\n",
            "svc/internal/cart/cart.go": "package cart\n\ntype Cart struct{}\n",
            "svc/internal/cart/add.go": "package cart\n\nfunc (c *Cart) Add() {}\nfunc New() *Cart { return nil }\n",
            "svc/main.go": 'package main\n\nimport store "example.com/svc/internal/cart"\n\nfunc f() { store.New() }\n',
        },
        ("svc/main.go", 5, "store.New"),
        "svc/internal/cart/add.go:New",
    ),
    "go package": (
        {
            "p/a.go": "package p\n\nfunc run() {}\n",
            "p/b.go": "package p\n\nfunc f() { run() }\n",
            "q/a.go": "package q\nfunc run() {}\n",
        },
        ("p/b.go", 3, "run"),
        "p/a.go:run",
    ),
    "rust": (
        {
            "core/Cargo.toml": '[package]\nname = "shop-core"\nversion = "0.1.0"\n',
            "core/src/lib.rs": "pub mod cart;\npub use cart::Cart;\n",
            "core/src/cart/mod.rs": "pub struct Cart;\nimpl Cart { pub fn add(&self) {} }\n",
            "app/Cargo.toml": '[package]\nname = "app"\n',
            "app/src/main.rs": "use shop_core::{Cart as Basket, cart};\nfn main() { Basket::add(); }\n",
        },
        ("app/src/main.rs", 2, "Basket::add"),
        "core/src/cart/mod.rs:Cart.add",
    ),
    "rust crate": (
        {
            "src/lib.rs": "mod a;\nmod b;\n",
            "src/a.rs": "pub fn run() {}\n#[cfg(test)]\nmod tests {\n    use super::*;\n    fn t() { run(); }\n}\n",
            "src/b.rs": "use crate::a::{self, run as go};\nfn f() { go(); a::run(); }\n",
            "src/c.rs": "pub fn run() {}\n",
        },
        ("src/b.rs", 2, "go"),
        "src/a.rs:run",
    ),
    "java": (
        {
            "src/main/java/a/Cart.java": "package a;\npublic class Cart extends Base {\n  void add() { clear(); }\n}\n",
            "src/main/java/a/Base.java": "package a;\nclass Base { void clear() {} }\n",
            "src/main/java/b/Main.java": "package b;\nimport a.Cart;\nclass Main { void run() { new Cart(); } }\n",
            "src/main/java/c/Cart.java": "package c;\nclass Cart {}\n",
        },
        ("src/main/java/b/Main.java", 3, "Cart.clear"),
        "src/main/java/a/Base.java:Base.clear",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_imports_of_every_language(case: str) -> None:
    files, question, answer = OTHERS[case]
    assert Repository(files).goes_to(*question) == answer


@pytest.mark.parametrize(
    ("case", "path", "qualified", "expected"),
    [
        (
            "typescript renamed",
            "a/cart.ts",
            "Cart",
            {("a/index.ts", 1, "import"), ("b.ts", 1, "import"), ("b.ts", 2, "call")},
        ),
        ("go package", "p/a.go", "run", {("p/b.go", 3, "call")}),
        ("go package", "q/a.go", "run", set()),
        (
            "rust crate",
            "src/a.rs",
            "run",
            {("src/a.rs", 5, "call"), ("src/b.rs", 1, "import"), ("src/b.rs", 2, "call")},
        ),
        ("rust crate", "src/c.rs", "run", set()),
        ("java", "src/main/java/a/Base.java", "Base.clear", {("src/main/java/a/Cart.java", 3, "call")}),
        ("java", "src/main/java/c/Cart.java", "Cart", set()),
    ],
)
def test_uses_in_every_language(case: str, path: str, qualified: str, expected: set[tuple[str, int, str]]) -> None:
    found = Repository(OTHERS[case][0]).uses(path, qualified)
    assert {(path, line, kind) for path, line, kind, confidence in found if confidence == "resolved"} == expected


TYPED = {
    "python": (
        "cart.py",
        "class Cart:\n    def get(self): ...\nclass Other:\n    def get(self): ...\n",
        "a.py",
        "from cart import Cart, Other\n\n\nclass Till:\n    def __init__(self, cart: Cart, other: Other) -> None:\n"
        "        self._cart = cart\n        self._other = other\n        self._own: Cart | None = None\n\n"
        "    def run(self, given: Cart, rest: dict):\n        self._cart.get()\n        self._other.get()\n"
        "        given.get()\n        made = Cart()\n        made.get()\n        rest.get()\n        self._own.get()\n",
        {11, 13, 15, 17},
    ),
    "typescript": (
        "cart.ts",
        "export class Cart {\n  get() {}\n}\nexport class Other {\n  get() {}\n}\n",
        "a.ts",
        "import { Cart, Other } from './cart';\nclass Till {\n  constructor(private cart: Cart, other: Other) {\n  }\n"
        "  run(given: Cart, other: Other) {\n    this.cart.get();\n    other.get();\n    given.get();\n"
        "    const made = new Cart();\n    made.get();\n  }\n}\n",
        {6, 8, 10},
    ),
    "go": (
        "p/cart.go",
        "package p\n\ntype Cart struct{}\n\nfunc (c *Cart) Get() {}\n",
        "p/a.go",
        "package p\n\nfunc f(c *Cart, o *Other) {\n\tc.Get()\n\to.Get()\n\tm := &Cart{}\n\tm.Get()\n\tvar v Cart\n"
        "\tv.Get()\n\ttop.Get()\n\tvar o2 *Other\n\to2.Get()\n}\n\nvar top *Cart // shared\n\n"
        "func g(top *other) {\n\ttop.Get()\n}\n",
        {4, 7, 9, 10},
    ),
    "java": (
        "shop/Cart.java",
        "package shop;\nclass Cart {\n  void get() {}\n}\n",
        "shop/A.java",
        "package shop;\nclass A {\n  private final Cart cart;\n  Map<String, Cart> all;\n"
        "  Cart cart() { return cart; }\n"
        "  void run(Box<Map<A, B>> box, @X Cart given, Other other) {\n    cart.get();\n    this.cart.get();\n"
        "    given.get();\n    other.get();\n    for (Cart each : Other.all()) {\n      each.get();\n    }\n"
        "    Cart found = find();\n    found.get();\n    all.get();\n    box.get();\n    var made = new Cart();\n"
        "    made.get();\n  }\n}\nclass B {\n  Other cart;\n  void run() {\n    cart.get();\n  }\n}\n",
        {7, 8, 9, 12, 15, 19},
    ),
    "rust": (
        "src/cart.rs",
        "pub struct Cart;\nimpl Cart {\n    pub fn get(&self) {}\n}\n",
        "src/lib.rs",
        "mod cart;\nuse cart::Cart;\nfn f(c: &Cart) {\n    c.get();\n    let m = Cart::new();\n    m.get();\n}\n",
        {4, 6},
    ),
}


@pytest.mark.parametrize("language", TYPED)
def test_members_of_values_whose_class_is_written(language: str) -> None:
    home, source, path, user, lines = TYPED[language]
    member = "Cart.Get" if language == "go" else "Cart.get"
    found = Repository({home: source, path: user}).uses(home, member)
    assert {line for at, line, _, confidence in found if at == path and confidence == "resolved"} == lines


MADE = {
    "python": (
        "c.py",
        "class Cart:\n    def get(self): ...\nclass Other:\n    def get(self): ...\n",
        "a.py",
        "import c\nfrom c import Cart, Other\n\nCart().get()\nOther(f(1)).get()\nc.Cart(')').get()\n"
        "(Cart()\n  .get())\n",
        {4, 6, 8},
    ),
    "typescript": (
        "c.ts",
        "export class Cart {\n  get() {}\n}\nexport class Other {\n  get() {}\n}\n",
        "a.ts",
        "import { Cart, Other } from './c';\n\nnew Cart().get();\nnew Other(f(1)).get();\nnew Cart(')')\n  .get();\n",
        {3, 6},
    ),
    "java": (
        "p/Cart.java",
        "package p;\nclass Cart {\n  void get() {}\n}\nclass Other {\n  void get() {}\n}\n",
        "p/A.java",
        "package p;\nclass A {\n  void run() {\n    new Cart<>(f(1)).get();\n    new Other().get();\n  }\n}\n",
        {4},
    ),
}


@pytest.mark.parametrize("language", MADE)
def test_members_of_an_object_where_it_is_made(language: str) -> None:
    home, source, path, user, lines = MADE[language]
    found = Repository({home: source, path: user}).uses(home, "Cart.get")
    assert {(line, confidence) for at, line, _, confidence in found if at == path} == {
        (line, "resolved") for line in lines
    }


def test_definitions_in_scope_come_best_first() -> None:
    found = Repository(PYTHON).graph.definitions("src/shop/cart.py", 11, ["sum_up"])
    names = [f"{one.path.rpartition('/')[2]}:{one.symbol.qualified}" for one in found]
    assert names[:3] == ["prices.py:total", "cart.py:Cart.add", "cart.py:Cart.pay"]
    assert {"cart.py:Base", "cart.py:Cart"} <= set(names)
    assert len(names) == len(set(names))


def test_a_name_or_the_end_of_one_finds_its_definitions() -> None:
    graph = Repository(PYTHON).graph
    assert [one.path for one in graph.find("total")] == ["src/shop/json.py", "src/shop/prices.py", "tools/report.py"]
    assert [one.key for one in graph.find("Cart.add")] == [("src/shop/cart.py", "Cart.add")]
    assert graph.find("Cart::add") == graph.find("Cart.add")


def test_reads_follow_the_versions_that_files_have() -> None:
    repo = Repository({"a.py": "def run(): ...\n", "b.py": "from a import run\n\nrun()\n"})
    assert len(repo.uses("a.py", "run")) == 2
    old = repo.db.execute("SELECT version FROM files WHERE path = 'b.py'").fetchone()[0]
    repo.write("b.py", "x = 1\n")
    assert repo.uses("a.py", "run") == set()
    repo.db.execute("UPDATE files SET version = ? WHERE path = 'b.py'", (old,))
    assert len(repo.uses("a.py", "run")) == 2, "a branch switch back"
    repo.graph.forget([old])
    assert repo.uses("a.py", "run") == set()
    assert repo.db.execute("SELECT count(*) FROM mentions WHERE version = ?", (old,)).fetchone() == (0,)


def test_versions_that_no_file_has_now_do_not_crowd_out_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman_indexer.uses._MOST_FILES", 5)
    repo = Repository({"a.py": "def run(): ...\n", "b.py": ""})
    for save in range(6):
        repo.write("b.py", f"from a import run\n\nrun({save})\n")
    assert len(repo.uses("a.py", "run")) == 2


def test_the_map_follows_the_focus_and_keeps_its_budget() -> None:
    users = {f"u{number}.py": "from core import central_function\n\ncentral_function()\n" for number in range(5)}
    repo = Repository(
        users
        | {
            "core.py": "def central_function():\n    return 1\n",
            "side.py": "def lonely_function():\n    return 1\n",
            "near.py": "from side import lonely_function\n\nlonely_function()\n",
        }
    )
    assert [path for path, _ in repo.graph.repository_map(500)][:1] == ["core.py"]
    assert [path for path, _ in repo.graph.repository_map(500, focus=["near.py"])][:1] == ["side.py"]
    assert "core.py" not in [path for path, _ in repo.graph.repository_map(500, focus=["core.py"])]
    assert repo.graph.repository_map(2) == []
    assert Repository({}).graph.repository_map(500) == []


def test_a_map_without_uses_lists_the_outer_definitions_by_path() -> None:
    repo = Repository(
        {
            "b.py": "LEVEL = 1\n\n\ndef beta():\n    return 1\n",
            "a.cpp": "namespace shop {\nclass Cart {\n  void add(int item);\n};\n}\nint main() { return 0; }\n",
            "settings.py": "ONE = 1\nTWO = 2\n",
            "notes.md": "# A heading\n",
        }
    )
    listed = {path: [symbol.name for symbol in symbols] for path, symbols in repo.graph.repository_map(500)}
    assert list(listed.items()) == [
        ("a.cpp", ["main", "Cart", "add", "shop"]),
        ("b.py", ["beta", "LEVEL"]),
        ("settings.py", ["ONE", "TWO"]),
    ]
    assert [path for path, _ in repo.graph.repository_map(17)] == ["a.cpp", "b.py"], "no file in depth before all"
    assert [path for path, _ in repo.graph.repository_map(500, focus=["a.cpp"])] == ["b.py", "settings.py"]


def test_a_map_fills_its_budget_with_what_nobody_leans_on() -> None:
    repo = Repository(
        {
            "cart.py": "class Cart:\n    def add(self, item): ...\n    def total(self): ...\n\n\ndef retry(): ...\n",
            "shop.py": "from cart import Cart\n\n\ndef checkout(items):\n    cart = Cart()\n    return cart.total()\n",
            "web/app.js": "export function formatPrice(cents) {\n  return cents;\n}\n\nclass Basket {\n}\n",
        }
    )

    def names(*arguments: Any, **options: Any) -> list[str]:
        return [symbol.name for _, symbols in repo.graph.repository_map(*arguments, **options) for symbol in symbols]

    whole = names(500)
    assert whole[:2] == ["Cart", "total"], "what is leaned on comes first"
    assert sorted(whole) == sorted(["Cart", "add", "total", "retry", "checkout", "formatPrice", "Basket"])
    assert {"formatPrice", "Basket"} <= set(names(500)) - set(names(500, focus=["web/app.js"]))
    small = 30
    assert "retry" in names(small) and "Basket" not in names(small)
    assert {"Basket", "formatPrice"} <= set(names(small + 12, mentioned=["baskets", "price"]))
    assert "retry" not in names(small + 12, mentioned=["baskets", "price"])


HOSTILE = {
    "a.py": "from .b import x\nfrom . import *\nx()\n",
    "b.py": "from .a import x\nfrom .a import *\nclass A(B): ...\nclass B(A):\n    def f(self): self.g()\n",
    "c.py": f"from {'.' * 500} import y\nimport {'.'.join('a' * 500)}\nfrom {'/..' * 9} import z\ny.{'q.' * 300}r()\n",
    "d.ts": "export * from './d';\nexport * from './e';\nimport {x} from '../../../../etc/passwd';\nx();\n",
    "e.ts": "export * from './d';\nimport y from '/etc/passwd';\nimport z from '';\nz(y);\n",
    "f.rs": f"use {'a::{' * 100}b{'}' * 100};\nuse crate::crate::super::x;\nfn f() {{ super::super::super::x(); }}\n",
    "tsconfig.json": '{"compilerOptions": {"baseUrl": "../..", "paths": {"*": ["../../*", 3], "x": 1}}, "name": 3}',
    "package.json": "[" * 5000 + '"name" "version"',
    "Cargo.toml": "[package]\nname = 3\n",
    "go.mod": "module \n",
}


def test_hostile_files_are_survived() -> None:
    repo = Repository(HOSTILE)
    for path in HOSTILE:
        for name in ("x", "self.g", "y", "z", "A.f", "B.g", "super.x", "crate.x", ".", "a" * 1000):
            found = repo.graph.definition_of(path, 5, name)
            assert found is None or isinstance(found, Definition)
        repo.graph.definitions(path, 1)
    for symbol in ("A.f", "B.f", "A", "B"):
        for one in repo.graph.find(symbol):
            repo.graph.uses(*one.key)


def test_a_method_of_a_class_with_bases_of_its_own_name_ends() -> None:
    repo = Repository(HOSTILE)
    assert repo.goes_to("b.py", 5, "self.g") == ""
