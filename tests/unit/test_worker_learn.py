"""The rule that keeps or drops, ranks, the shared loop, and a head's file. No encoder: vectors are made up."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pointsman.errors import EngineError  # noqa: E402
from pointsman.worker.head import Head  # noqa: E402
from pointsman.worker.learn import Lessons, gain_of, is_better, learn, reciprocal_ranks, verdict  # noqa: E402
from pointsman.worker.lowrank import Pair, batches, loss_of  # noqa: E402
from pointsman_indexer.holdout import Lesson  # noqa: E402

WIDTH, FILES, EACH = 24, 12, 16


def unit(rows: Any) -> Any:
    return torch.nn.functional.normalize(rows, dim=-1)


def noisy_lessons() -> tuple[Lessons, Any, Any]:
    """Queries are their pieces with noise in a few directions, which can be unlearned; and 40 new ones of the sort."""
    draw = torch.Generator().manual_seed(0)

    def asked(pieces: Any) -> Any:
        noise = torch.zeros_like(pieces)
        noise[:, :4] = torch.randn(len(pieces), 4, generator=draw)
        return unit(pieces + noise)

    pieces = unit(torch.randn(FILES * EACH, WIDTH, generator=draw))
    new = unit(torch.randn(40, WIDTH, generator=draw))
    paths = [f"{number // EACH}.py" for number in range(len(pieces))]
    lessons = Lessons(
        lessons=[
            Lesson(path=path, query=f"q{number}", piece=number, measures=True) for number, path in enumerate(paths)
        ],
        queries=asked(pieces),
        pieces=pieces,
        learned=range(len(pieces)),
        paths=paths,
    )
    return lessons, asked(new), new


@pytest.mark.parametrize(
    ("gains", "kept"),
    [
        ([0.0] * 50, False),
        ([0.5, -0.5] * 25, False),
        ([0.2] * 50, True),
        ([-0.2] * 50, False),
        ([1.0] + [0.0] * 49, False),  # one lucky question is no evidence
        ([0.5, 0.0, 0.0, 0.0, -0.1] * 20, True),
    ],
)
def test_it_is_kept_only_when_the_interval_is_clear_of_nothing(gains: list[float], kept: bool) -> None:
    assert is_better(gain_of([0.0] * len(gains), gains)) is kept


def test_a_tenth_place_counts_and_an_eleventh_does_not() -> None:
    scores = torch.arange(12.0, 0, -1).repeat(3, 1)
    assert reciprocal_ranks(scores, [(0,), (9, 11), (10,)]) == [1.0, 0.1, 0.0]


def test_what_is_learned_holds_for_what_was_not_seen_and_can_be_repeated() -> None:
    lessons, asked, pieces = noisy_lessons()
    told: list[int] = []
    head = learn(lessons, 60, 0, lambda done, total: told.append(done))
    answers = [(number,) for number in range(len(pieces))]
    with torch.no_grad():
        before = sum(reciprocal_ranks(asked @ pieces.T, answers))
        after = sum(reciprocal_ranks(head(asked) @ head(pieces).T, answers))
    assert after > before + 2
    assert told == [0, 1, 2, 3]
    again = learn(lessons, 60, 0, lambda done, total: None)
    assert torch.equal(head(pieces), again(pieces))


def test_a_head_changes_nothing_before_it_learns_and_its_file_brings_it_back(tmp_path: Path) -> None:
    head = Head(8, 2)
    vectors = unit(torch.randn(3, 8))
    assert torch.allclose(head(vectors), vectors)
    torch.nn.init.normal_(head.up)
    data = head.data({"embedder": "e"})
    file, sha256 = tmp_path / "head.safetensors", hashlib.sha256(data).hexdigest()
    file.write_bytes(data)
    assert torch.equal(Head.load(file, sha256, 8)(vectors), head(vectors))
    with pytest.raises(EngineError, match="damaged"):
        Head.load(file, "0" * 64, 8)
    with pytest.raises(EngineError, match="another kind"):
        Head.load(file, sha256, 9)
    file.unlink()
    with pytest.raises(EngineError, match="gone"):
        Head.load(file, sha256, 8)


def test_two_questions_with_one_answer_do_not_count_against_each_other() -> None:
    one, other = torch.eye(4)[0], torch.eye(4)[1]

    def loss(second: int) -> float:
        batch = [
            Pair(group="f", query=one, code=one, answer=1),
            Pair(group="f", query=one, code=one, answer=second),
            Pair(group="f", query=other, code=other, answer=3),
        ]
        return float(loss_of(lambda rows: torch.stack(list(rows)), batch))

    assert loss(1) < 0.001 < 0.3 < loss(2)


def test_copies_of_the_answer_among_the_others_are_no_wrong_answers() -> None:
    one = torch.eye(4)[0]
    batch = [Pair(group="f", query=one, code=one, answer=1)]

    def loss(others: Any) -> float:
        return float(loss_of(lambda rows: torch.stack(list(rows)), batch, others))

    assert loss(torch.eye(4)[:1]) == loss(None) == 0
    near = unit(torch.tensor([[1.0, 0.3, 0.0, 0.0]]))
    assert loss(near) > 0.1


def test_a_batch_is_made_of_runs_of_a_file() -> None:
    pairs = [Pair(group=str(number // 40), query=0, code=0, answer=number) for number in range(160)]
    made = list(batches(pairs, 64, 0))
    assert [len(batch) for batch in made] == [64, 64]
    assert len({pair.answer for batch in made for pair in batch}) == 128
    assert [len(batch) for batch in batches(pairs[:10], 64, 0)] == [10]


@pytest.mark.parametrize(
    ("after", "earlier", "told"),
    [
        (0.6, None, (True, False)),
        (0.6, 0.5, (True, True)),
        (0.6, 0.7, (False, True)),
        (0.4, 0.5, (False, True)),
        (0.4, 0.3, (False, False)),
        (0.3, 0.2, (False, False)),
    ],
)
def test_what_was_learned_earlier_is_asked_too(after: float, earlier: float | None, told: tuple[bool, bool]) -> None:
    ranks = [None if value is None else [value] * 40 for value in (0.4, after, earlier)]
    before, new, old = ranks
    assert before is not None and new is not None
    assert verdict(before, new, old) == told


def test_an_earlier_one_that_holds_no_longer_stands_in_nobody_s_way() -> None:
    lucky = [0.0, 1.0] * 10 + [0.9] * 20
    assert verdict([0.4] * 40, [0.46] * 40, [0.0, 1.0] * 20) == (True, False)
    assert verdict([0.4] * 40, [0.46] * 40, lucky) == (False, True)
