"""What a query is taken for, and how candidates are ordered by what is known of them."""

from __future__ import annotations

import pytest

from pointsman_indexer.chunk import Chunk
from pointsman_indexer.intent import Kind, understand
from pointsman_indexer.rank import FEATURES, LEARNED, Candidate, Network, features, score
from pointsman_indexer.terms import content_terms


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("how are cookies merged when a request is sent again", "question"),
        ("the connection is dropped too early?", "question"),
        ("Where", "name"),
        ("merge the cookies of a request into a session", "words"),
        ("parse_cookie_header", "name"),
        ("src/app.py", "path"),
        ("ValueError: no such table", "error"),
        ('why? File "a/b.py", line 3', "error"),
        ("isolate the test from others", "words"),
    ],
)
def test_kinds_of_queries(query: str, kind: Kind) -> None:
    assert understand(query).kind == kind


def candidate(name: str = "total", path: str = "shop/cart.py", **facts: float | int | None) -> Candidate:
    chunk = Chunk(
        path=path,
        start_line=1,
        end_line=9,
        symbol=name,
        kind="function",
        language="python",
        text=f"def {name}(): ...",
        names=(name,),
    )
    return Candidate(id=f"{path}:{name}", chunk=chunk, **facts)  # type: ignore[arg-type]


def worth(query: str, one: Candidate, *, dense: bool = True) -> float:
    intent = understand(query)
    return score(features(one, content_terms(query), intent.thing), intent, dense)


@pytest.mark.parametrize("query", ["sum of the lines of a cart", "how is a cart summed?", "cart_total", "shop/cart.py"])
def test_better_evidence_ranks_higher_for_every_kind(query: str) -> None:
    strong = candidate(dense=0.6, dense_rank=0, lexical=1.0, lexical_rank=0)
    weak = candidate(dense=0.2, dense_rank=60, lexical=0.3, lexical_rank=40)
    assert worth(query, strong) > worth(query, weak)
    by_words = candidate(lexical=1.0, lexical_rank=0), candidate(lexical=0.3, lexical_rank=40)
    assert worth(query, by_words[0], dense=False) > worth(query, by_words[1], dense=False)


def test_a_test_of_it_comes_after_it() -> None:
    facts: dict[str, float | int] = {"dense": 0.5, "dense_rank": 1, "lexical": 0.8, "lexical_rank": 1}
    query = "sum of the lines of a cart"
    assert worth(query, candidate(**facts)) > worth(query, candidate(path="tests/test_cart.py", **facts))


def test_a_name_that_is_asked_for_wins_over_meaning() -> None:
    named = candidate(name="fetch_all", named=1.0, lexical=0.9, lexical_rank=0)
    like = candidate(name="load", dense=0.5, dense_rank=0, lexical=0.5, lexical_rank=3)
    assert worth("fetch_all", named) > worth("fetch_all", like)


def test_a_word_that_only_one_place_has_is_found_there() -> None:
    there = candidate(name="", path="tests/a.txt", lexical=1.0, lexical_rank=0, dense=0.1)
    near = candidate(name="load", dense=0.9, dense_rank=0)
    assert worth("qzxjvkwpy", there) > worth("qzxjvkwpy", near)


def test_a_network_adds_its_units_where_they_are_lifted() -> None:
    network = Network(linear=(1.0, 0.0), units=((2.0, -0.5, (0.0, 1.0)), (3.0, 0.0, (-1.0, 0.0))))
    assert network((0.25, 1.0)) == pytest.approx(0.25 + 2.0 * 0.5)
    assert network((0.25, 0.25)) == pytest.approx(0.25)


def test_learned_features_are_features() -> None:
    assert set(LEARNED) < set(FEATURES)
    assert len(features(candidate(), frozenset({"cart"}), False)) == len(FEATURES)
