"""Token healing on a small vocabulary."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from pointsman.models.base import Sampling  # noqa: E402
from pointsman.worker.healing import Beginning, Vocabulary  # noqa: E402

TEXTS = ["", " ", "  ", " re", " return", "re", "turn", "\n", " \n", "x", " x", "return"]
STOP = 11


def allowed(wanted: str, *, solid: bool = False) -> set[str]:
    return {TEXTS[id_] for id_ in Vocabulary(TEXTS).agreeing(wanted, solid=solid)}


def test_tokens_agree_when_they_are_a_part_of_what_is_wanted_or_go_on_from_it() -> None:
    assert allowed(" ret") == {" ", " re", " return"}
    assert allowed(" ") == {" ", "  ", " re", " return", " \n", " x"}
    assert allowed(" ", solid=True) == {" ", " re", " return", " x"}
    assert allowed("", solid=True) == {"re", "turn", "x", "return"}
    assert allowed("q") == set()


def written(beginning: Beginning, *tokens: str) -> list[bool]:
    done = []
    for token in tokens:
        held = beginning.held(torch.zeros(len(TEXTS)))
        assert held[TEXTS.index(token)] == 0
        beginning.wrote(TEXTS.index(token))
        done.append(beginning.is_written)
    return done


def test_it_is_written_when_all_of_it_stands_there() -> None:
    vocabulary = Vocabulary(TEXTS)
    assert written(Beginning(Sampling(begin=" retu"), vocabulary, ()), " return") == [True]
    assert written(Beginning(Sampling(begin=" retu"), vocabulary, ()), " re", "turn") == [False, True]
    assert written(Beginning(Sampling(begin="  ", solid=True), vocabulary, ()), "  ", "x") == [False, True]
    assert written(Beginning(Sampling(begin=" ", solid=True), vocabulary, ()), " x") == [True]
    assert Beginning(Sampling(), None, ()).is_written


def test_a_stop_token_cannot_take_its_place_and_a_vocabulary_without_it_holds_nothing() -> None:
    vocabulary = Vocabulary(TEXTS)
    held = Beginning(Sampling(begin="re"), vocabulary, [STOP]).held(torch.zeros(len(TEXTS)))
    assert held[STOP] == float("-inf") and held[TEXTS.index("re")] == 0
    logits = torch.zeros(len(TEXTS))
    assert Beginning(Sampling(begin="q"), vocabulary, ()).held(logits) is logits
