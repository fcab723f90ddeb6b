"""One contract, two stores."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman_indexer.errors import StoreError
from pointsman_indexer.store import Point, Store, file_key
from pointsman_indexer.store_edge import EdgeStore
from pointsman_indexer.store_server import ServerStore
from pointsman_indexer.terms import Sparse, document_vector, query_vector


def identity(number: int) -> str:
    return str(uuid.UUID(int=number))


def point(number: int, dense: list[float] | None, text: str, path: str = "a.py", language: str = "python") -> Point:
    return Point(
        id=identity(number), file=file_key(path), language=language, dense=dense, lexical=document_vector(text)
    )


@pytest.fixture(params=["edge", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = EdgeStore(tmp_path / "v", 3) if request.param == "edge" else ServerStore(":memory:", "c", 3)
    yield made
    made.close()


def test_dense_search_is_by_cosine(store: Store) -> None:
    store.upsert([point(1, [1, 0, 0], "x"), point(2, [0, 5, 0], "x"), point(3, [3, 3, 0], "x")])
    found = store.dense([0, 1, 0], 2)
    assert [id_ for id_, _ in found] == [identity(2), identity(3)]
    assert found[0][1] == pytest.approx(1.0, abs=1e-5)


def test_lexical_search_weighs_rare_terms(store: Store) -> None:
    texts = ["common word here", "common word there", "common needle", "common word"]
    store.upsert([point(n, [1, 0, 0], text) for n, text in enumerate(texts)])
    found = store.lexical(query_vector("common needle"), 4)
    assert found[0][0] == identity(2)
    assert found[0][1] > 2 * found[1][1]
    assert store.lexical(query_vector("absent"), 4) == []
    assert store.lexical(Sparse((), ()), 4) == []


def test_language_filter(store: Store) -> None:
    store.upsert([point(1, [1, 0, 0], "x"), point(2, [1, 0, 0], "x", language="go")])
    assert [id_ for id_, _ in store.dense([1, 0, 0], 5, {"go"})] == [identity(2)]
    assert [id_ for id_, _ in store.lexical(query_vector("x"), 5, {"go"})] == [identity(2)]
    assert len(store.lexical(query_vector("x"), 5, {"go", "python"})) == 2


def test_upsert_replaces_and_delete_is_by_file(store: Store) -> None:
    store.upsert([point(1, [1, 0, 0], "old"), point(2, [1, 0, 0], "old", path="b.py")])
    store.upsert([point(1, [0, 1, 0], "new")])
    assert store.count() == 2
    assert [id_ for id_, _ in store.lexical(query_vector("new"), 5)] == [identity(1)]
    store.delete_files([file_key("a.py"), file_key("never.py")])
    store.flush()
    store.compact()
    assert store.count() == 1
    assert [id_ for id_, _ in store.dense([0, 1, 0], 5)] == [identity(2)]


def test_a_file_loses_its_points_but_for_those_to_keep(store: Store) -> None:
    store.upsert([point(n, [1, 0, 0], word) for n, word in enumerate(("spade", "heart", "club", "diamond"))])
    store.delete_files([file_key("a.py")], keep=[identity(1), identity(3)])
    assert store.count() == 2
    assert {id_ for id_, _ in store.dense([1, 0, 0], 9)} == {identity(1), identity(3)}
    assert [id_ for id_, _ in store.lexical(query_vector("diamond"), 9)] == [identity(3)]
    assert store.lexical(query_vector("club"), 9) == []


def test_reset_forgets_everything_and_goes_on(store: Store) -> None:
    store.upsert([point(1, [1, 0, 0], "x")])
    store.reset()
    assert store.count() == 0 and store.dense([1, 0, 0], 5) == []
    store.upsert([point(2, [1, 0, 0], "x")])
    assert store.count() == 1


def test_a_wrong_vector_is_a_store_error(store: Store) -> None:
    with pytest.raises(StoreError):
        store.upsert([point(1, [1, 0], "x")])
    store.upsert([point(2, [1, 0, 0], "x")])
    with pytest.raises(StoreError):
        store.dense([1, 0], 1)


def test_edge_keeps_what_was_flushed(tmp_path: Path) -> None:
    first = EdgeStore(tmp_path / "v", 3)
    first.upsert([point(1, [1, 0, 0], "x")])
    first.flush()
    first.close()
    first.close()
    second = EdgeStore(tmp_path / "v", 3)
    assert second.count() == 1
    second.close()
    with pytest.raises(StoreError, match="closed"):
        second.count()


def test_edge_starts_anew_when_damaged_or_of_another_dimension(tmp_path: Path) -> None:
    first = EdgeStore(tmp_path / "v", 3)
    first.upsert([point(1, [1, 0, 0], "x")])
    first.close()
    second = EdgeStore(tmp_path / "v", 4)
    assert second.count() == 0
    second.upsert([point(1, [1, 0, 0, 0], "x")])
    second.close()
    (tmp_path / "v" / "edge_config.json").write_bytes(b"{")
    third = EdgeStore(tmp_path / "v", 4)
    assert third.count() == 0
    third.close()


def test_points_carry_no_names(tmp_path: Path) -> None:
    made = EdgeStore(tmp_path / "v", 3)
    made.upsert([point(1, [1, 0, 0], "canary_text", path="canary_path.py")])
    made.flush()
    made.close()
    assert not any(b"canary" in file.read_bytes() for file in (tmp_path / "v").rglob("*") if file.is_file())


def test_cosines_of_some_points(store: Store) -> None:
    store.upsert([point(1, [1, 0, 0], "x"), point(2, [0, 5, 0], "x"), point(3, [3, 3, 0], "x"), point(4, None, "x")])
    found = dict(store.cosines([0, 1, 0], [identity(1), identity(3), identity(4), identity(9)]))
    without = found.pop(identity(4), None)
    assert found == {identity(1): pytest.approx(0.0, abs=1e-5), identity(3): pytest.approx(0.5**0.5, abs=1e-5)}
    # The server's stand-in in memory scores what has no vector; an engine does not.
    assert without is None or isinstance(store, ServerStore)
    assert store.cosines([0, 1, 0], []) == []
    assert store.dense([0, 1, 0], 2, exact=True) == store.dense([0, 1, 0], 2)


def test_all_points_of_a_file_lose_their_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman_indexer.store_edge._PAGE", 2)
    left, fresh = EdgeStore(tmp_path / "left", 3), EdgeStore(tmp_path / "fresh", 3)
    kept = [point(n, [1, 0, 0], "common word", path="b.py") for n in range(4)] + [
        point(9, [1, 0, 0], "rare", path="b.py")
    ]
    left.upsert([*kept, *(point(n, [1, 0, 0], "rare") for n in range(20, 27))])
    left.delete_files([file_key("a.py")])
    fresh.upsert(kept)
    assert left.count() == fresh.count() == 5
    found = [dict(store.lexical(query_vector("rare common"), 9)) for store in (left, fresh)]
    assert found[0] == found[1] and len(found[0]) == 5
    left.close()
    fresh.close()


def test_a_graph_over_bytes_finds_what_vectors_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman_indexer.store_edge.EXACT", 100)
    chance = random.Random(7)
    made = EdgeStore(tmp_path / "v", 32)
    made.upsert([point(n, [chance.gauss(0, 1) for _ in range(32)], "x") for n in range(2000)])
    made.compact()
    assert list((tmp_path / "v").rglob("quantized*"))
    agreed = 0
    for _ in range(20):
        query = [chance.gauss(0, 1) for _ in range(32)]
        exact = dict(made.dense(query, 10, exact=True))
        found = dict(made.dense(query, 10))
        agreed += len(exact.keys() & found.keys())
        assert all(found[id_] == pytest.approx(exact[id_], abs=1e-5) for id_ in exact.keys() & found.keys())
    assert agreed >= 190
    made.close()
