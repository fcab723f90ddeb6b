"""Queries against a real index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman_indexer import EmbeddingError, Index, IndexerError
from pointsman_indexer.parsing import parse_file
from tests.unit.indexer_repo import CountingEmbedder, Repo, function


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    made.write(
        "shop/cart.py",
        "class Cart:\n    def total(self):\n        return sum_prices(self)\n\n"
        "    def clear(self):\n        return None\n",
    )
    made.write("shop/order.py", "class Order:\n    def total(self):\n        return charge_customer(self)\n")
    made.write("shop/cookies.py", function("parse_cookie_header", "return split_pairs(value)"))
    made.write("web/cart.js", "export function renderCart(cart) {\n  return paint(cart);\n}\n")
    made.write("notes.txt", "".join(f"note {n} about zebras\n" for n in range(60)))
    made.commit()
    return made


@pytest.fixture
def index(repo: Repo, tmp_path: Path) -> Iterator[Index]:
    with Index.open(repo.root, tmp_path / "data", CountingEmbedder()) as opened:
        opened.update()
        yield opened


@pytest.mark.parametrize(
    ("query", "path", "symbol"),
    [
        ("how are cookies parsed", "shop/cookies.py", "parse_cookie_header"),
        ("parse_cookie_header", "shop/cookies.py", "parse_cookie_header"),
        ("Order.total", "shop/order.py", "Order.total"),
        ("Cart.total", "shop/cart.py", "Cart.total"),
        ("Cart::clear", "shop/cart.py", "Cart.clear"),
        ("renderCart", "web/cart.js", "renderCart"),
        ("charge the customer", "shop/order.py", "Order"),
        ("web/cart.js", "web/cart.js", "renderCart"),
    ],
)
def test_the_best_hit(index: Index, query: str, path: str, symbol: str) -> None:
    hit = index.search(query, 3)[0]
    assert (hit.path, hit.symbol) == (path, symbol)


def test_a_hit_tells_how_near_it_is_in_meaning_where_there_are_vectors(
    index: Index, repo: Repo, tmp_path: Path
) -> None:
    cosines = [hit.cosine for hit in index.search("parse_cookie_header", 5)]
    assert cosines and all(cosine is not None and -1.001 <= cosine <= 1.001 for cosine in cosines)
    with Index.open(repo.root, tmp_path / "other", CountingEmbedder()) as fresh:
        fresh.update(embed=False)
        assert [hit.cosine for hit in fresh.search("parse_cookie_header", 1)] == [None]


def test_a_hit_is_the_file_s_text_with_its_blob_id(index: Index, repo: Repo) -> None:
    hit = index.search("Cart.clear", 1)[0]
    lines = (repo.root / hit.path).read_text().splitlines(keepends=True)
    assert hit.text == "".join(lines[hit.start_line - 1 : hit.end_line])
    assert hit.sha == repo.git("rev-parse", f"HEAD:{hit.path}").strip()
    assert (hit.kind, hit.language, hit.fresh) == ("method", "python", True)
    hits = index.search("cart total", 10)
    assert [one.score for one in hits] == sorted((one.score for one in hits), reverse=True)
    assert all(0 < one.score <= 1 for one in hits)


def test_language_and_k(index: Index) -> None:
    assert {hit.language for hit in index.search("cart", 10, language="javascript")} == {"javascript"}
    assert index.search("cart", 10, language="cobol") == []
    assert index.search("cart", 10, language="JS") == index.search("cart", 10, language="javascript")
    assert len(index.search("cart", 1)) == 1
    with pytest.raises(IndexerError, match="at least 1"):
        index.search("cart", 0)
    assert index.search("  ") == []


def test_typescript_counts_tsx_in(index: Index, repo: Repo) -> None:
    repo.write("web/cart.ts", "export function countCart(cart: Cart): number {\n  return cart.size;\n}\n")
    repo.write("web/cart.tsx", "export function ShownCart(p: Props) {\n  return <div>{p.cart}</div>;\n}\n")
    index.update()
    assert {hit.path for hit in index.search("cart", 10, language="typescript")} == {"web/cart.ts", "web/cart.tsx"}
    assert {hit.path for hit in index.search("cart", 10, language="tsx")} == {"web/cart.tsx"}


def test_windows_that_overlap_become_one_hit(index: Index, repo: Repo) -> None:
    [hit] = [hit for hit in index.search("zebras", 10) if hit.path == "notes.txt"]
    assert (hit.start_line, hit.end_line) == (1, 60)
    assert hit.text == (repo.root / "notes.txt").read_text()


def test_a_changed_file_gives_a_stale_hit_and_a_restored_one_a_fresh_hit(index: Index, repo: Repo) -> None:
    original = (repo.root / "shop/cookies.py").read_text()
    repo.write("shop/cookies.py", "# other\n")
    hit = index.search("parse_cookie_header", 1)[0]
    assert not hit.fresh and "split_pairs" in hit.text
    repo.write("shop/cookies.py", original)
    assert index.search("parse_cookie_header", 1)[0].fresh


def test_hits_of_files_gone_excluded_or_replaced_by_a_link_are_dropped(
    index: Index, repo: Repo, tmp_path: Path
) -> None:
    (repo.root / "shop/order.py").unlink()
    repo.write(".pointsmanignore", "cookies.py\n")
    (repo.root / "web/cart.js").unlink()
    (tmp_path / "elsewhere.js").write_text("x")
    (repo.root / "web/cart.js").symlink_to(tmp_path / "elsewhere.js")
    paths = {hit.path for hit in index.search("Order.total parse_cookie_header renderCart cart", 20)}
    assert paths == {"shop/cart.py"} | (paths & {"notes.txt"})
    assert index.outline(["shop/cookies.py"], 100) == ""
    assert "def clear(self)" in index.outline(["shop/cart.py", "unknown.py"], 100)


def test_a_broken_ignore_file_stops_searching_too(index: Index, repo: Repo) -> None:
    repo.write(".pointsmanignore", "!\n")
    with pytest.raises(IndexerError, match="line 1"):
        index.search("cart")


def test_the_caller_may_bring_the_vector(index: Index) -> None:
    embedder = index._embedder
    assert isinstance(embedder, CountingEmbedder)
    vector = embedder.embed(["parse_cookie_header"], kind="query")[0]
    embedder.seen.clear()
    assert index.search("parse_cookie_header", 1, query_vector=vector)[0].symbol == "parse_cookie_header"
    assert embedder.seen == []
    with pytest.raises(EmbeddingError):
        index.search("x", 1, query_vector=[1.0, 2.0])


@pytest.mark.parametrize(
    "query", ["'; DROP TABLE files; --", "%_*", "\0", "x" * 10_000, "( ) [", "日本語", "a " * 5000]
)
def test_odd_queries(index: Index, query: str) -> None:
    index.search(query, 5)
    assert index.counts()[0] == 5


def test_what_has_no_vector_yet_is_found_first_by_its_words(index: Index, repo: Repo) -> None:
    repo.write("notes.md", "# Notes\n\nThe zanzibarian clause is settled.\n")
    index.update(["notes.md"], embed=False)
    assert index.search("zanzibarian", 1)[0].path == "notes.md"
    repo.write("later.md", "# Later\n\nThe mozambican clause is not.\n")
    index.update(embed=False, should_stop=lambda: True)
    assert index.search("mozambican", 1)[0].path == "later.md"


def test_exact_and_dense_agree_where_there_is_no_graph(index: Index) -> None:
    assert index.search("vat", 3, mode="exact") == index.search("vat", 3, mode="dense") != []


def test_versions_that_no_file_has_now_do_not_crowd_out_a_name(index: Index, repo: Repo) -> None:
    parsed = parse_file("shop/saved.py", function("parse_saved_form", "return split_pairs(value)").encode())
    with index._catalog.transaction():
        for save in range(210):
            index._catalog.put_version("shop/saved.py", f"{save}", parsed)
    repo.write("shop/saved.py", function("parse_saved_form", "return split_pairs(value)"))
    index.update(["shop/saved.py"])
    assert [name for _, name in index._catalog.named(["parse_saved_form"], 5)] == ["parse_saved_form"]
