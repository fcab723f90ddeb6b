"""Pooling, batches and truncation on a toy encoder whose hidden states are simple functions of its tokens."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from pointsman.worker import embed  # noqa: E402
from pointsman.worker.embed import Embedding, Encoder  # noqa: E402
from pointsman.worker.messages import Pooling  # noqa: E402
from tests.toy_encoder import Toy, tokenizer_of  # noqa: E402

WORDS = ["[PAD]", "a", "b", "c", "d", "q", "[UNK]"]


def encoder(
    toy: Toy, pooling: Pooling = "mean", max_tokens: int = 100, query_prefix: str = "", lanes: int = 1
) -> Encoder:
    tokenizer = tokenizer_of(WORDS, "[UNK]")
    return Encoder(toy, tokenizer, max_tokens=max_tokens, query_prefix=query_prefix, pooling=pooling, lanes=lanes)


def run(made: Encoder, texts: list[str], *, query: bool = False) -> list[dict[str, float]]:
    """Each text's vector as the words that are in it, and their share."""
    job = Embedding(made, texts, query=query)
    while (out := job.step()) is None:
        pass
    return [{WORDS[i]: round(float(x), 3) for i, x in enumerate(row) if x} for row in out]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean", [{"a": 0.894, "b": 0.447}, {"c": 1.0}]),
        ("cls", [{"a": 1.0}, {"c": 1.0}]),
        ("last", [{"b": 1.0}, {"c": 1.0}]),
    ],
)
def test_pooling_looks_at_real_tokens_only(pooling: Pooling, expected: list[dict[str, float]]) -> None:
    assert run(encoder(Toy(WORDS), pooling), ["a a b", "c"]) == expected


def test_vectors_come_in_the_order_of_the_texts_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embed._TOKENS_PER_STEP, "cpu", 4)
    toy = Toy(WORDS)
    texts = ["a", "b b b b", "c c", "d", "a a a a a a"]
    assert [list(v) for v in run(encoder(toy), texts)] == [["a"], ["b"], ["c"], ["d"], ["a"]]
    assert toy.batches == [(1, 6), (1, 4), (2, 2), (1, 1)]  # longest first, about four tokens each


def test_each_step_is_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embed._TOKENS_PER_STEP, "cpu", 2)
    toy = Toy(WORDS)
    job = Embedding(encoder(toy), ["a a", "b b", "c c"], query=False)
    assert job.step() is None
    assert job.step() is None
    assert job.step().shape == (3, len(WORDS))
    assert len(toy.batches) == 3


def test_lanes_share_a_step_and_a_few_tokens_are_left_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a a a", "b b b", "c c", "d d"]
    few, many = Toy(WORDS), Toy(WORDS)
    expected = run(encoder(few), texts)
    assert few.batches == [(4, 3)]
    monkeypatch.setattr(embed, "_SHARED", 4)
    job = Embedding(encoder(many, lanes=2), texts, query=False)
    made = job.step()
    assert made is not None and sorted(many.batches) == [(2, 2), (2, 3)]
    assert [{WORDS[i]: round(float(x), 3) for i, x in enumerate(row) if x} for row in made] == expected


def test_a_long_text_is_cut_and_an_empty_one_is_a_zero_vector() -> None:
    assert run(encoder(Toy(WORDS), max_tokens=2), ["a b c d", ""]) == [{"a": 0.707, "b": 0.707}, {}]


def test_only_a_query_gets_the_prefix() -> None:
    made = encoder(Toy(WORDS), query_prefix="q ")
    assert run(made, ["a"], query=True) == [{"a": 0.707, "q": 0.707}]
    assert run(made, ["a"]) == [{"a": 1.0}]


def test_no_text_at_all() -> None:
    assert run(encoder(Toy(WORDS)), []) == []
