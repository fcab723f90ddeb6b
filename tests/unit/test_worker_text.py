"""Text out of tokens: stop strings, characters that span tokens, prompts that are too long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pointsman.worker.detokenise import Detokeniser
from pointsman.worker.prompt import common_prefix, fit_prompt, valid_unicode
from pointsman.worker.stops import StopFilter


def run(stops: tuple[str, ...], fragments: list[str]) -> tuple[str, bool]:
    filter = StopFilter(stops)
    out = "".join(filter.feed(f) for f in fragments)
    return (out if filter.stopped else out + filter.flush()), filter.stopped


def test_a_stop_string_split_over_fragments_is_never_let_out() -> None:
    filter = StopFilter(("<end>",))
    assert filter.feed("ab<e") == "ab"
    assert filter.feed("n") == ""
    assert filter.feed("d>tail") == ""
    assert filter.stopped
    assert filter.feed("more") == ""
    assert filter.flush() == ""


def test_what_only_looked_like_a_stop_string_comes_out_late_but_whole() -> None:
    filter = StopFilter(("\n\n",))
    assert filter.feed("a\n") == "a"
    assert filter.feed("b\n") == "\nb"
    assert filter.flush() == "\n"


def test_the_first_of_several_stop_strings_counts_and_empty_ones_do_not() -> None:
    assert run(("zz", "\n", ""), ["one", " two\nzz"]) == ("one two", True)
    assert run((), ["any", "thing"]) == ("anything", False)


@given(
    st.lists(st.text(alphabet="ab\n", max_size=4), max_size=12),
    st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=3),
)
def test_any_split_gives_what_cutting_the_whole_text_gives(fragments: list[str], stops: list[str]) -> None:
    out, stopped = run(tuple(stops), fragments)
    # Fed a character at a time, the stop string that is completed first wins.
    whole = "".join(fragments)
    if not stopped:
        assert out == whole
        assert not any(s in whole for s in stops)
    else:
        assert whole.startswith(out)
        assert any(whole[len(out) :].startswith(s) for s in stops)
        assert not any(s in out for s in stops)


def utf8(ids: list[int]) -> str:
    return bytes(i for i in ids if i < 256).decode("utf-8", "replace")


def spelled(ids: list[int], hidden: frozenset[int] = frozenset({300})) -> tuple[list[str], str]:
    writer = Detokeniser(lambda run: utf8(list(run)), hidden)
    return [writer.push(i) for i in ids], writer.flush()


def test_a_character_in_several_tokens_comes_out_once_and_whole() -> None:
    pushed, rest = spelled(list("né😀!".encode()))
    assert pushed == ["n", "", "é", "", "", "", "😀", "!"]
    assert rest == ""


def test_an_unfinished_character_at_the_end_is_dropped() -> None:
    pushed, rest = spelled(list("a😀".encode())[:-1])
    assert "".join(pushed) + rest == "a"


def test_a_special_token_has_no_text() -> None:
    pushed, rest = spelled([ord("a"), 300, ord("b")])
    assert "".join(pushed) + rest == "ab"


@given(st.text(max_size=30))
def test_any_text_survives_byte_by_byte(text: str) -> None:
    text = valid_unicode(text).replace("\N{REPLACEMENT CHARACTER}", "")
    pushed, rest = spelled(list(text.encode()))
    assert "".join(pushed) + rest == text


def test_the_space_that_some_tokenizers_drop_at_the_start_of_a_run_is_kept() -> None:
    words = ["the", " cat", " sat"]
    writer = Detokeniser(lambda ids: "".join(words[i] for i in ids).lstrip(), frozenset(), before=[0])
    assert writer.push(1) + writer.push(2) + writer.flush() == " cat sat"


def test_a_prompt_that_fits_is_left_alone() -> None:
    assert fit_prompt(list(range(90)), 100, 10) == list(range(90))


@given(st.integers(0, 3000), st.integers(16, 1500), st.integers(1, 4000), st.sets(st.integers(0, 3000)))
def test_a_cut_prompt_is_its_head_and_its_end_and_leaves_room(
    length: int, context: int, max_tokens: int, markers: set[int]
) -> None:
    tokens = list(range(length))
    kept = fit_prompt(tokens, context, max_tokens, markers)
    room = context - min(max_tokens, context // 2)
    assert len(kept) <= room
    assert kept == sorted(set(kept)) and kept[:1] == tokens[:1] and kept[-1:] == tokens[-1:]
    if lost := set(tokens) - set(kept):
        assert length > room
        # One run is left out, and one marker in it is not.
        inside = [token for token in kept if min(lost) < token < max(lost)]
        assert inside in ([], [max(markers & set(range(min(lost), max(lost))), default=None)])


def test_a_chat_that_is_too_long_keeps_its_system_text_and_its_question() -> None:
    system, question = list(range(110)), list(range(5000, 5100))
    kept = fit_prompt([*system, *[7] * 4000, *question], 2048, 256)
    assert kept[:110] == system
    assert kept[-100:] == question


def test_a_hole_s_opening_marker_stays_when_what_stands_before_it_is_cut() -> None:
    begin, prefix, suffix, middle = 1, 2, 3, 4
    others, before, after = [10] * 500, [11] * 2500, [12] * 200
    tokens = [begin, *others, prefix, *before, suffix, *after, middle]
    kept = fit_prompt(tokens, 2048, 64, {begin, prefix, suffix, middle})
    assert [token for token in kept if token < 10] == [begin, prefix, suffix, middle]
    assert kept[kept.index(prefix) + 1 :] == tokens[len(tokens) - len(kept) + kept.index(prefix) + 1 :]


def test_a_prompt_that_grows_by_a_token_is_mostly_cut_at_the_same_place() -> None:
    starts = {tuple(fit_prompt(list(range(n)), 2048, 64)[:200]) for n in range(2100, 2200)}
    assert len(starts) == 1


def test_common_prefix() -> None:
    assert common_prefix([1, 2, 3], [1, 2, 4, 5]) == 2
    assert common_prefix([], [1]) == 0
    assert common_prefix([1, 2], [1, 2, 3]) == 2


def test_lone_surrogates_become_question_marks() -> None:
    assert valid_unicode("a\ud83db😀") == "a?b😀"
