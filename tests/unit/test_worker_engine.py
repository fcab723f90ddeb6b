"""The decode loop on a toy model that writes a script: its next token depends on every token in its cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pointsman.models.base import Sampling  # noqa: E402
from pointsman.worker.engine import End, Generation, PrefixCache, Text  # noqa: E402
from pointsman.worker.healing import Vocabulary  # noqa: E402
from pointsman.worker.sampling import Chooser  # noqa: E402
from pointsman.worker.slices import Slices  # noqa: E402

END, HIDDEN = 256, 257


class Toy:
    """Bytes are tokens. `script` gives the next token for the tokens so far; the cache is just those tokens."""

    device = "cpu"
    drafts = 0
    stop_ids = frozenset({END})
    hidden_ids = frozenset({END, HIDDEN})

    def __init__(self, script: Callable[[list[int]], int], context: int = 4096, croppable: bool = True) -> None:
        self.context = context
        self.forwarded: list[int] = []
        self._script = script
        self._croppable = croppable
        self.fail_at = -1

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(i for i in ids if i < 256).decode("utf-8", "replace")

    def vocabulary(self) -> Vocabulary:
        return Vocabulary([chr(id_) if id_ < 128 else "" for id_ in range(258)])

    def new_cache(self) -> list[int]:
        return []

    def forward(self, ids: Sequence[int], cache: list[int], rows: int = 1) -> Any:
        cache.extend(ids)
        self.forwarded.append(len(ids))
        if len(self.forwarded) == self.fail_at:
            raise RuntimeError("broken half-way")
        logits = torch.full((rows, 258), -10.0)
        for row in range(rows):
            logits[row, self._script(cache[: len(cache) - rows + row + 1])] = 10.0
        return logits

    def crop(self, cache: list[int], keep: int) -> bool:
        if self._croppable:
            del cache[keep:]
        return len(cache) == keep


def says(answer: str | list[int], after: str) -> Callable[[list[int]], int]:
    """A script that writes `answer` after the prompt `after`, then ends."""
    tokens = list(answer.encode()) if isinstance(answer, str) else answer
    start = len(after.encode())

    def next(cache: list[int]) -> int:
        assert cache[:start] == list(after.encode())[: len(cache)]
        at = len(cache) - start
        if at < 0:
            return END  # asked in the middle of the prompt, where nobody looks
        if cache[start:] != tokens[:at]:
            return HIDDEN  # behind a draft that is wrong; anywhere else the answer would lack a character
        return tokens[at] if at < len(tokens) else END

    return next


def run(toy: Toy, prompt: str, prefix: PrefixCache | None = None, **sampling: Any) -> tuple[str, End, list[Text]]:
    job = Generation(toy, prefix or PrefixCache(), prompt, Sampling(**sampling))
    pieces: list[Text] = []
    while True:
        for part in job.step():
            if isinstance(part, End):
                return "".join(p.text for p in pieces), part, pieces
            pieces.append(part)


def test_it_writes_what_the_model_says_and_ends_at_a_stop_token() -> None:
    text, end, pieces = run(Toy(says("hello", "ab")), "ab")
    assert text == "hello"
    assert (end.reason, end.prompt_tokens, end.reused_tokens, end.tokens) == ("stop", 2, 0, 6)
    assert sum(p.tokens for p in pieces) == 5
    assert all(p.logprob == pytest.approx(0.0, abs=1e-4) for p in pieces)


def test_each_token_goes_out_before_the_next_is_computed() -> None:
    toy = Toy(says("xyz", "ab"))
    job = Generation(toy, PrefixCache(), "ab", Sampling())
    assert [p.text for p in job.step() if isinstance(p, Text)] == ["x"]
    assert toy.forwarded == [2]


def test_max_tokens_ends_with_length_and_costs_no_forward_pass_too_many() -> None:
    toy = Toy(says("hello", "ab"))
    text, end, _ = run(toy, "ab", max_tokens=3)
    assert (text, end.reason, end.tokens) == ("hel", "length", 3)
    assert toy.forwarded == [2, 1, 1]


def test_a_stop_string_over_several_tokens_is_cut_off() -> None:
    text, end, _ = run(Toy(says("one\n\ntwo", "ab")), "ab", stop=("\n\n",))
    assert (text, end.reason) == ("one", "stop")


def test_half_a_stop_string_at_the_end_is_part_of_the_answer() -> None:
    text, end, pieces = run(Toy(says("one\n", "ab")), "ab", stop=("\n\n",))
    assert (text, end.reason) == ("one\n", "stop")
    assert sum(p.tokens for p in pieces) == 4


def test_special_tokens_have_no_text_and_characters_stay_whole() -> None:
    answer = [*"é".encode(), HIDDEN, *"😀".encode(), HIDDEN]
    text, _, pieces = run(Toy(says(answer, "ab")), "ab")
    assert text == "é😀"
    assert [p.text for p in pieces] == ["é", "😀"]


def test_a_long_prompt_is_forwarded_in_slices_with_a_pause_after_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slices, "size", lambda self: 4)
    toy = Toy(says("z", "0123456789"))
    job = Generation(toy, PrefixCache(), "0123456789", Sampling())
    assert job.step() == []
    assert toy.forwarded == [4]
    assert job.step() == []
    assert [p.text for p in job.step() if isinstance(p, Text)] == ["z"]
    assert toy.forwarded[:3] == [4, 4, 2]


def test_the_common_prefix_is_not_forwarded_again() -> None:
    prefix = PrefixCache()
    run(Toy(says("xy", "hello")), "hello", prefix)
    toy = Toy(says("!", "help me"))
    text, end, _ = run(toy, "help me", prefix)
    assert (text, end.reused_tokens) == ("!", 3)
    assert toy.forwarded[0] == 4


def test_typing_on_what_was_suggested_reuses_the_answer_too() -> None:
    prefix = PrefixCache()
    run(Toy(says("xyz", "ab")), "ab", prefix)
    toy = Toy(says("z", "abxy"))
    text, end, _ = run(toy, "abxy", prefix)
    assert (text, end.reused_tokens) == ("z", 3)


def test_the_same_prompt_again_forwards_its_last_token_only() -> None:
    prefix = PrefixCache()
    first, *_ = run(Toy(says("xy", "ab")), "ab", prefix)
    toy = Toy(says("xy", "ab"))
    again, end, _ = run(toy, "ab", prefix)
    assert again == first == "xy"
    assert end.reused_tokens == 1
    assert toy.forwarded[0] == 1


def test_a_cache_that_cannot_be_shortened_is_made_anew() -> None:
    prefix = PrefixCache()
    run(Toy(says("xy", "hello")), "hello", prefix)
    text, end, _ = run(Toy(says("!", "help"), croppable=False), "help", prefix)
    assert (text, end.reused_tokens) == ("!", 0)


def test_a_cancelled_generation_leaves_a_cache_that_can_be_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slices, "size", lambda self: 4)
    prefix = PrefixCache()
    job = Generation(Toy(says("x", "0123456789")), prefix, "0123456789", Sampling())
    job.step()
    del job
    text, end, _ = run(Toy(says("!", "0123ab")), "0123ab", prefix)
    assert (text, end.reused_tokens) == ("!", 4)


SONG = "row row row your boat, row row row your boat, "


def test_a_draft_that_holds_saves_passes_and_changes_nothing() -> None:
    plain, drafting = Toy(says(SONG, SONG)), Toy(says(SONG, SONG))
    drafting.drafts = 4
    expected, slow, _ = run(plain, SONG, max_tokens=40)
    text, fast, pieces = run(drafting, SONG, max_tokens=40)
    assert text == expected == SONG[:40]
    assert (fast.tokens, fast.reason) == (slow.tokens, slow.reason) == (40, "length")
    assert len(drafting.forwarded) < len(plain.forwarded) / 3
    assert sum(p.tokens for p in pieces) == 40


def test_a_draft_that_is_wrong_leaves_no_trace_in_the_answer_or_the_cache() -> None:
    answer = "row row rot your boot, row rot row"
    toy = Toy(says(answer, SONG))
    toy.drafts = 4
    prefix = PrefixCache()
    text, end, _ = run(toy, SONG, prefix, max_tokens=60)
    assert (text, end.reason) == (answer, "stop")
    after = SONG + answer
    again, end, _ = run(Toy(says("!", after + "x")), after + "x", prefix)
    assert (again, end.reused_tokens) == ("!", len(after))


@pytest.mark.parametrize("steps", range(1, 12))
def test_a_generation_that_is_dropped_amid_a_draft_leaves_a_cache_that_can_be_reused(steps: int) -> None:
    prefix = PrefixCache()
    toy = Toy(says("row row rot your", SONG))
    toy.drafts = 4
    job = Generation(toy, prefix, SONG, Sampling(max_tokens=60))
    for _ in range(steps):
        job.step()
    del job
    text, *_ = run(Toy(says("row row rot your", SONG)), SONG, prefix, max_tokens=60)
    assert text == "row row rot your"


def test_nothing_is_drafted_where_tokens_are_drawn() -> None:
    toy = Toy(says(SONG, SONG))
    toy.drafts = 4
    run(toy, SONG, max_tokens=20, temperature=0.5, seed=1)
    assert set(toy.forwarded[2:]) == {1}


def test_a_pass_that_breaks_off_never_leaves_a_cache_in_doubt() -> None:
    prefix = PrefixCache()
    toy = Toy(says("xyz", "ab"))
    toy.fail_at = 2
    job = Generation(toy, prefix, "ab", Sampling())
    job.step()
    with pytest.raises(RuntimeError):
        job.step()
    text, end, _ = run(Toy(says("xyz", "ab")), "ab", prefix)
    assert (text, end.reused_tokens) == ("xyz", 0)


def test_a_prompt_longer_than_the_context_keeps_its_end_and_the_answer_stays_inside() -> None:
    toy = Toy(lambda cache: ord("x"), context=100)
    text, end, _ = run(toy, "a" * 500, max_tokens=30)
    assert end.prompt_tokens <= 70
    assert end.prompt_tokens + len(text) <= 100
    assert end.reason == "length"


def test_an_empty_prompt_has_an_empty_answer() -> None:
    text, end, _ = run(Toy(lambda cache: ord("x")), "")
    assert (text, end.tokens, end.reason) == ("", 0, "length")


def draws(seed: int | None, count: int = 40, **sampling: Any) -> list[int]:
    chooser = Chooser(Sampling(temperature=1.0, seed=seed, **sampling), "cpu")
    logits = torch.tensor([2.0, 1.5, 1.0, 0.5, -5.0])
    return [chooser.choose(logits)[0] for _ in range(count)]


def test_a_seed_makes_drawing_repeatable() -> None:
    assert draws(7) == draws(7)
    assert draws(7) != draws(8)
    assert draws(-1) == draws(-1)
    assert len(set(draws(7))) > 1


def test_top_k_and_top_p_leave_the_likeliest_only() -> None:
    assert set(draws(1, top_k=2)) == {0, 1}
    assert set(draws(1, top_k=1)) == {0}
    assert set(draws(1, top_p=0.0)) == {0}
    # softmax of the logits is about .44 .27 .16 .10 .00: two tokens reach 0.6
    assert set(draws(1, 200, top_p=0.6)) == {0, 1}
    assert set(draws(1, 400, top_k=99)) >= {0, 1, 2, 3}


def test_temperature_zero_takes_the_likeliest_with_its_true_probability() -> None:
    logits = torch.tensor([0.0, 1.0, 0.0])
    token, logprob = Chooser(Sampling(), "cpu").choose(logits)
    assert token == 1
    assert logprob == pytest.approx(float(torch.log_softmax(logits, -1)[1]))
