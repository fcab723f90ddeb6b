"""Late interaction on a toy encoder whose hidden states are its tokens: what is counted, batches, and what is cut."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tokenizers import processors  # noqa: E402

from pointsman.worker import compare, embed  # noqa: E402
from pointsman.worker.compare import Comparison  # noqa: E402
from pointsman.worker.embed import Encoder  # noqa: E402
from tests.toy_encoder import Toy, tokenizer_of  # noqa: E402

WORDS = ["[PAD]", "[CLS]", "[SEP]", "a", "b", "c", "d", "read", "file"]


def scores(query: str, texts: list[str], toy: Toy | None = None, lanes: int = 1, as_words: bool = False) -> list[float]:
    tokenizer = tokenizer_of(WORDS, "d")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    made = Encoder(toy or Toy(WORDS), tokenizer, max_tokens=3, query_tokens=3, lanes=lanes, as_words=as_words)
    job = Comparison(made, query, texts)
    while (out := job.step()) is None:
        pass
    return [round(score, 3) for score in out]


@pytest.fixture(autouse=True)
def by_tokens_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "_AS_A_WHOLE", 0.0)


def test_how_near_they_are_as_wholes_counts_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """As wholes: [CLS] a [SEP] and [CLS] a a [SEP], of which the encoder's marks are a part as in its vectors."""
    monkeypatch.setattr(compare, "_AS_A_WHOLE", 0.5)
    assert scores("a", ["a", "a a"]) == [1.0, round(0.5 + 0.5 * 4 / (3 * 6) ** 0.5, 3)]


def test_each_token_of_the_question_counts_its_nearest_of_the_text() -> None:
    assert scores("a b", ["a c", "b a a", "c d", "c c a b"]) == [0.5, 1.0, 0.0, 1.0]


def test_the_encoders_own_marks_are_nobodys_words() -> None:
    """Were they counted, an empty text would be like any other."""
    assert scores("a", [""]) == [-1.0]
    assert scores("", ["a", "b"]) == [0.0, 0.0]


def test_texts_are_read_past_what_their_vector_is_made_of() -> None:
    assert scores("b", ["a a a a a b"]) == [1.0]


def test_no_more_is_read_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "_TEXT_TOKENS", 5)
    assert scores("b", ["a a a b", "a a b"]) == [0.0, 1.0]


def test_scores_come_in_the_order_of_the_texts_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embed._TOKENS_PER_STEP, "cpu", 8)
    monkeypatch.setattr(embed, "_SHARED", 4)
    toy = Toy(WORDS)
    texts = ["a", "b b b b", "c c", "d", "a b a b a b"]
    assert scores("a b", texts, toy, lanes=2) == [0.5, 0.5, 0.0, 0.0, 1.0]
    assert len(toy.batches) > 3


def test_identifiers_are_read_as_words_where_the_model_was_taught_so() -> None:
    assert scores("readFile", ["def read_file"], as_words=True) == [1.0]


def test_no_text_at_all() -> None:
    assert scores("a", []) == []
