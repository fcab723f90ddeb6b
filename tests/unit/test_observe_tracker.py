"""What edits say about a suggestion: typed, taken, taken in parts, turned down, and what is left of it later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.observe.ghost import Alternative, Ghost
from pointsman.observe.retention import Kept, share
from pointsman.observe.tracker import Event, Offered, Retained, Shown, Taken, Tracker
from pointsman.session import Edit, difference

PIECES = ["a", "bc", " ", "\t", "é", "😋", "e\u0301", "\n", "\r\n", "(", ")", "字", "return x", "    "]
texts = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
suggestions = texts.filter(lambda text: len(text) > 1 and text.strip())


class Editor:
    """A document, its tracker and a clock."""

    def __init__(self, before: str, after: str = "") -> None:
        self.text = before + after
        self.cursor = len(before)
        self.tracker = Tracker()
        self.now = 100.0
        self.events: list[Event] = []
        self._count = 0

    def offer(self, *suggested: str, covered: int = 0, lead: int = 0) -> str:
        """Offer suggestions at the cursor; the id of the first."""
        alternatives = []
        for text in suggested:
            self._count += 1
            alternatives.append(Alternative(f"i{self._count}", text, self.cursor - lead, self.cursor + covered))
        self.events += self.tracker.offer(alternatives, self.text, self.now)
        return alternatives[0].id if alternatives else ""

    def edit(self, *edits: Edit) -> None:
        for edit in edits:
            self.text = edit.applied(self.text)
        self.events += self.tracker.edit(edits, self.now)

    def type(self, text: str) -> None:
        self.edit(Edit(self.cursor, self.cursor, text))
        self.cursor += len(text)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.events += self.tracker.look(self.now)

    @property
    def last(self) -> Taken | None:
        return next((event for event in reversed(self.events) if isinstance(event, Taken)), None)

    @property
    def outcome(self) -> tuple[str | None, int, int] | None:
        return (self.last.outcome, self.last.accepted, self.last.typed) if self.last else None

    @property
    def kept(self) -> dict[int, float]:
        return {event.seconds: event.share for event in self.events if isinstance(event, Retained)}

    def count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.events)


@given(texts, texts, suggestions)
def test_typing_it_key_by_key_is_no_acceptance(before: str, after: str, suggested: str) -> None:
    editor = Editor(before, after)
    editor.offer(suggested)
    for key in suggested:
        editor.wait(0.15)
        editor.type(key)
    assert editor.outcome == ("typed", 0, len(suggested))
    assert editor.tracker.is_idle and not editor.kept


@given(texts, texts, suggestions, st.booleans())
def test_taking_it_whole_however_the_edit_is_told(before: str, after: str, suggested: str, slid: bool) -> None:
    editor = Editor(before, after)
    editor.offer(suggested)
    editor.wait(1)
    wanted = before + suggested + after
    editor.edit(difference(editor.text, wanted) if slid else Edit(len(before), len(before), suggested))
    assert editor.outcome == ("accepted", len(suggested), 0)
    editor.wait(700)
    assert editor.kept == dict.fromkeys((30, 120, 300, 600), 1.0)
    assert editor.tracker.is_idle


@given(texts, suggestions)
def test_a_replaced_document_is_the_smallest_edit_of_it(before: str, after: str) -> None:
    edit = difference(before, after)
    assert edit.applied(before) == after
    assert len(edit.new) + edit.end - edit.start <= len(before) + len(after)
    assert difference(after, after) == Edit(len(after), len(after), "")


@given(texts, texts, st.lists(st.sampled_from(["total ", "= sum(", "prices", ")\n    return ", "total😋"]), min_size=2))
def test_word_by_word(before: str, after: str, words: list[str]) -> None:
    editor = Editor(before, after)
    suggested = "".join(words)
    editor.offer(suggested)
    for index, word in enumerate(words):
        editor.wait(0.5)
        if index:  # as editors do after each step
            editor.offer("".join(words[index:]))
        editor.type(word)
        part = sum(len(w) for w in words[: index + 1] if len(w.strip()) and len(w) > 3)
        assert editor.outcome and editor.outcome[1] == part
    assert editor.outcome and editor.outcome[0] == "accepted"
    assert editor.count(Offered) == editor.count(Shown) == 1


@given(texts, texts)
def test_a_part_is_taken_and_the_rest_turned_down(before: str, after: str) -> None:
    editor = Editor(before, after)
    editor.offer("first(second)")
    editor.type("first(")
    assert editor.outcome == ("partly", 6, 0)
    editor.type("¤")
    assert editor.outcome == ("partly", 6, 0)
    editor.wait(31)
    assert editor.kept == {30: 1.0}
    editor.edit(Edit(len(before), len(before) + 5, "other"))
    editor.wait(100)
    assert editor.kept == {30: 1.0, 120: 0.5}


@given(texts, texts, suggestions)
def test_undo_and_redo(before: str, after: str, suggested: str) -> None:
    editor = Editor(before, after)
    editor.offer(suggested)
    place = len(before)
    editor.edit(Edit(place, place, suggested))
    editor.edit(Edit(place, place + len(suggested), ""))
    editor.wait(31)
    editor.edit(Edit(place, place, suggested))
    editor.wait(100)
    assert editor.outcome == ("accepted", len(suggested), 0)
    assert editor.kept == {30: 0.0, 120: 1.0}


def test_undoing_a_part_takes_it_back() -> None:
    editor = Editor("x = ")
    editor.offer("first(second)")
    editor.type("first(")
    editor.edit(Edit(4, 10, ""))
    assert editor.outcome == (None, 0, 0)
    editor.cursor = 4
    editor.wait(1)
    editor.type("z")
    assert editor.outcome == ("rejected", 0, 0)


@given(texts, texts, suggestions, st.booleans())
def test_typing_something_else_turns_it_down(before: str, after: str, suggested: str, slow: bool) -> None:
    editor = Editor(before, after)
    editor.offer(suggested)
    editor.wait(1 if slow else 0.05)
    editor.type("¤")
    assert editor.outcome == ("rejected" if slow else "missed", 0, 0)
    assert editor.count(Shown) == slow
    assert editor.tracker.is_idle


@given(texts, texts, suggestions, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5), texts), max_size=6))
def test_edits_elsewhere_move_it(before: str, after: str, suggested: str, edits: list[tuple[int, int, str]]) -> None:
    """Lines above and below change, as by a formatter or an import that is added."""
    editor = Editor(f"{before}\n¤", f"¤\n{after}")
    editor.offer(suggested)
    above, below = before, after
    for at, length, new in edits:
        changed = below[:at] + new + below[at + length :]
        here = len(above) + 4
        editor.edit(Edit(here + min(at, len(below)), here + min(at + length, len(below)), new))
        below = changed
        editor.edit(Edit(min(at, len(above)), min(at + length, len(above)), new))
        above = above[:at] + new + above[at + length :]
    assert editor.text == f"{above}\n¤¤\n{below}"
    editor.cursor = len(above) + 2
    editor.type(suggested)
    assert editor.outcome == ("accepted", len(suggested), 0)
    editor.edit(Edit(0, 0, "import os\n"))
    editor.edit(Edit(len(editor.text), len(editor.text), "end"))
    editor.wait(31)
    assert editor.kept == {30: 1.0}


@given(
    texts,
    texts,
    suggestions,
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), texts | suggestions), max_size=9),
)
def test_what_it_says_stands_there_stands_there(
    before: str, after: str, suggested: str, edits: list[tuple[int, int, str]]
) -> None:
    text = before + after
    ghost = Ghost([Alternative("i", suggested, len(before), len(before))], text)
    for at, length, new in edits:
        edit = Edit(min(at, len(text)), min(at + length, len(text)), new)
        text = edit.applied(text)
        if not ghost.apply([edit]):
            break
        assert text[ghost.start : ghost.start + ghost.done] == suggested[: ghost.done]


@given(texts, texts, suggestions, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), texts), max_size=9))
def test_what_was_kept_is_in_the_document(
    before: str, after: str, suggested: str, edits: list[tuple[int, int, str]]
) -> None:
    text = before + suggested + after
    kept = Kept("i", suggested, len(before), 0)
    for at, length, new in edits:
        edit = Edit(min(at, len(text)), min(at + length, len(text)), new)
        text = edit.applied(text)
        kept.apply(edit)
        assert text[kept.start : kept.start + len(kept.now)] == kept.now


steps = st.one_of(
    st.tuples(st.just("edit"), st.integers(0, 60), st.integers(0, 9), texts),
    st.tuples(st.just("offer"), st.integers(0, 60), st.integers(0, 3), suggestions),
    st.tuples(st.just("take"), st.integers(1, 30), st.just(0), st.just("")),
    st.tuples(st.sampled_from(["shown", "accepted", "partly"]), st.integers(1, 9), st.integers(-2, 20), st.just("")),
    st.tuples(st.sampled_from(["wait", "dismiss"]), st.integers(0, 400), st.just(0), st.just("")),
)


@given(texts, st.lists(steps, max_size=25))
def test_whatever_happens_the_figures_make_sense(text: str, happened: list[tuple[str, int, int, str]]) -> None:
    editor = Editor(text)
    last, longest = "", 0
    for what, at, length, new in happened:
        place, tracker = min(at, len(editor.text)), editor.tracker
        if what == "edit":
            editor.edit(Edit(place, min(place + length, len(editor.text)), new))
        elif what == "offer":
            editor.cursor, last = place, new
            editor.offer(new, new + "more", covered=min(length, len(editor.text) - place))
            longest = max(longest, len(new) + 8)
        elif what == "take":
            editor.cursor = min(editor.cursor, len(editor.text))
            editor.type(last[:at])
            last = last[at:]
        elif what == "wait":
            editor.wait(at)
        elif what == "dismiss":
            editor.events += tracker.dismiss(editor.now)
        elif what == "partly":
            editor.events += tracker.client_partly(f"i{at}", length)
        else:
            editor.events += tracker.client_shown(f"i{at}") if what == "shown" else tracker.client_accepted(f"i{at}")
    offered = {event.id for event in editor.events if isinstance(event, Offered)}
    for event in editor.events:
        assert event.id in offered
        if isinstance(event, Taken):
            assert event.accepted >= 0 and event.typed >= 0
            assert event.outcome not in ("accepted", "partly") or event.accepted
            assert event.outcome != "typed" or event.typed
        elif isinstance(event, Retained):
            assert 0 <= event.share <= 1
    moments = [(event.id, event.seconds) for event in editor.events if isinstance(event, Retained)]
    assert len(moments) == len(set(moments))


def test_brackets_that_the_editor_closes() -> None:
    editor = Editor("x = ")
    editor.offer("foo(a)")
    editor.type("f")
    editor.type("oo")
    editor.edit(Edit(7, 7, "()"))
    editor.cursor = 8
    editor.offer("a)", covered=1)
    assert editor.count(Offered) == 1
    editor.wait(1)
    editor.edit(Edit(8, 9, "a)"))
    assert editor.outcome == ("typed", 0, 6)  # two characters are no more than a keystroke or two

    editor = Editor("f(", ")")
    editor.offer("alpha, beta)", covered=1)
    editor.edit(Edit(2, 3, ""), Edit(2, 2, "alpha, beta)"))
    assert editor.outcome == ("accepted", 12, 0)


def test_an_entry_of_the_menu_that_is_half_typed() -> None:
    editor = Editor("x = pri")
    editor.offer("print(total)", lead=3)
    editor.type("n")
    assert editor.last is None
    editor.edit(Edit(4, 8, "print(total)"))
    assert editor.outcome == ("accepted", 8, 1)


def test_alternatives_are_one_suggestion() -> None:
    editor = Editor("x = ")
    first = editor.offer("one + two")
    editor.offer("one + two", "three * four", "five")
    assert editor.count(Offered) == 1
    editor.type("three * four")
    assert editor.last == Taken(id=first, outcome="accepted", accepted=12, typed=0)


def test_another_suggestion_and_an_empty_answer_replace_it() -> None:
    editor = Editor("x = ")
    editor.offer("one + two")
    editor.wait(1)
    second = editor.offer("three")
    assert editor.outcome == ("rejected", 0, 0) and editor.count(Offered) == 2
    editor.type("thr")
    editor.offer()
    assert editor.last == Taken(id=second, outcome="missed", accepted=0, typed=3)


def test_one_that_nobody_takes_is_given_up() -> None:
    editor = Editor("x = ")
    editor.offer("one + two")
    editor.wait(599)
    assert editor.last is None
    editor.wait(2)
    assert editor.outcome == ("rejected", 0, 0)


def test_what_a_client_reports_outweighs_the_estimate() -> None:
    editor = Editor("x = ")
    item = editor.offer("y)")
    assert editor.tracker.client_shown(item) == [Shown(item)]
    assert editor.tracker.client_shown(item) == editor.tracker.client_shown("unknown") == []
    editor.type("y")
    editor.type(")")
    assert editor.outcome == ("typed", 0, 2)
    assert editor.tracker.client_accepted(item) == [
        Shown(item),
        Taken(id=item, outcome="accepted", accepted=1, typed=1, reported=True),
    ]
    assert editor.tracker.client_accepted(item) == []


def test_an_edit_that_hides_an_acceptance_is_no_loss_where_the_client_reports_it() -> None:
    editor = Editor("x = ")
    item = editor.offer("one + two")
    editor.edit(Edit(0, 4, "x: int = one + two"))
    assert editor.outcome == ("missed", 0, 0)
    editor.events += editor.tracker.client_accepted(item)
    assert editor.outcome == ("accepted", 9, 0)


@pytest.mark.parametrize("report_first", [True, False])
def test_parts_that_a_client_reports(report_first: bool) -> None:
    editor = Editor("")
    item = editor.offer("a + b + gamma")
    for length in (2, 4):
        if report_first:
            editor.events += editor.tracker.client_partly(item, length)
        editor.type("a + b + gamma"[length - 2 : length])
        if not report_first:
            editor.events += editor.tracker.client_partly(item, length)
        assert editor.outcome == ("partly", length, 0)
    rest = editor.offer("b + gamma")
    editor.type("b")
    assert editor.tracker.client_partly(rest, 2) == [Taken(id=item, outcome="partly", accepted=5, typed=1)]
    editor.type(" ")
    editor.type("¤")
    assert editor.outcome == ("partly", 5, 1)


@pytest.mark.parametrize("report_first", [True, False])
@pytest.mark.parametrize(("by_hand", "taken"), [("foo_", "bar_baz"), ("foo_bar_", "baz")])
def test_what_was_typed_before_a_part_is_taken_stays_typed(report_first: bool, by_hand: str, taken: str) -> None:
    editor = Editor("x = ")
    item = editor.offer("foo_bar_baz(qux)")
    for key in by_hand:
        editor.type(key)
    if not report_first:
        editor.type(taken)
    editor.events += editor.tracker.client_partly(item, 11)
    assert editor.outcome == ("partly", len(taken), len(by_hand))
    if report_first:
        editor.type(taken)
    editor.type("¤")
    assert editor.outcome == ("partly", len(taken), len(by_hand))


@pytest.mark.parametrize("report_first", [True, False])
@pytest.mark.parametrize("by_hand", [10, 14])
def test_what_was_typed_before_the_rest_is_taken_stays_typed(report_first: bool, by_hand: int) -> None:
    editor, suggested = Editor("x = "), "foo_bar_baz(qux)"
    item = editor.offer(suggested)
    for key in suggested[:by_hand]:
        editor.type(key)
    if not report_first:
        editor.type(suggested[by_hand:])
    editor.events += editor.tracker.client_accepted(item)
    assert editor.outcome == ("accepted", 16 - by_hand, by_hand)
    if report_first:
        editor.type(suggested[by_hand:])
    assert editor.outcome == ("accepted", 16 - by_hand, by_hand)
    editor.wait(31)
    assert editor.kept == {30: 1.0}


def test_a_client_may_report_before_it_edits() -> None:
    editor = Editor("x = ")
    item = editor.offer("one + two")
    editor.events += editor.tracker.client_accepted(item)
    editor.type("one + two")
    assert editor.last == Taken(id=item, outcome="accepted", accepted=9, typed=0, reported=True)
    editor.wait(31)
    assert editor.kept == {30: 1.0}


def test_three_keystrokes_told_at_once_are_typing() -> None:
    editor = Editor("")
    editor.offer("def f():\n        return 1")
    for keys in ("def", " f", "():", "\n        ", "ret"):
        editor.type(keys)
    assert editor.last is None
    editor.type("urn 1")
    assert editor.outcome == ("accepted", 5, 20)


def test_how_much_is_left() -> None:
    assert share("a = b(c)", "a  =  b( c )") == 1.0
    assert share("one two three four", "one three") == 0.5
    assert share("one two", "two one") == 0.5
    assert share("one", "") == 0.0
    assert share("ab " * 5_000, "x" + "ab " * 9_000) == 1.0
