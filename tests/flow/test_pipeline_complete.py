"""The completion pipeline over a scripted host."""

from __future__ import annotations

import asyncio

import pytest

from pointsman.complete.gate import Gate
from pointsman.complete.service import CompletionService
from pointsman.complete.types import Completion, CompletionQuery, SelectedCompletion
from pointsman.errors import EngineError
from pointsman.exclusion import ExclusionsOf
from pointsman.gateway.finder import Finder
from pointsman.host.api import Place
from pointsman.models.base import Priority
from pointsman.settings import Settings
from tests.pipelines import FIM, FakeHost, Rules, facts, hit, marked, rules, snapshot

AWS = "AKIA" + "Q3EGWZ7PLXD5TNVM"


def service(host: FakeHost, exclusions: ExclusionsOf = rules, **settings: int) -> CompletionService:
    return CompletionService(host, exclusions, Settings(**settings), Gate(0.0), lambda text: ())  # type: ignore[arg-type]


async def complete(host: FakeHost, text: str, **more: object) -> Completion:
    return await service(host).complete(query(text, **more))


def query(text: str, *, name: str = "pkg/a.py", **more: object) -> CompletionQuery:
    plain, offset = marked(text)
    return CompletionQuery(snapshot=snapshot(plain, name=name), offset=offset, **more)  # type: ignore[arg-type]


def stages(completion: Completion) -> dict[str, str]:
    return {stage.stage: stage.outcome for stage in completion.stages}


async def test_a_suggestion_with_its_record() -> None:
    host = FakeHost(" a + b\n\n# Example")
    done = await complete(host, "def add(a, b):\n    return ‸\n")
    (item,) = done.items
    assert (item.text, item.start, item.end) == ("a + b", 26, 26)
    assert item.score == -0.5 and done.reason is None and done.model == "tiny"
    assert done.timings_ms.keys() == {"context", "queue", "prefill", "decode", "clean", "total"}
    assert done.timings_ms["decode"] == 3.0
    assert stages(done).keys() == {"prefilter", "cache", "context", "lookup", "prompt", "generate", "clean", "fit"}
    (asked,) = host.asked
    assert asked.task == "completion" and asked.request.priority is Priority.TYPING
    assert asked.request.prompt == "# pkg/a.py\ndef add(a, b):\n    return"
    assert "\n" in asked.request.sampling.stop and asked.request.sampling.max_tokens == 64


async def test_indentation_is_reconciled() -> None:
    host = FakeHost(" total = 0\n    return total\n\nprint()")
    done = await complete(host, "def f():\n    ‸\n")
    assert host.prompt.endswith("def f():\n   ")
    assert [item.text for item in done.items] == ["total = 0\n    return total"]


async def test_the_word_before_the_cursor_is_part_of_the_answer() -> None:
    host = FakeHost(" values)")
    done = await complete(host, "total = sum(x in valu‸\n")
    assert host.prompt.endswith("sum(x in") and host.asked[0].request.sampling.begin == " valu"
    assert [item.text for item in done.items] == ["es)"]


async def test_an_answer_that_does_not_go_on_from_the_white_space_is_dropped() -> None:
    host = FakeHost("\nprint()")
    host.heals = False
    done = await complete(host, "    x = ‸\n")
    assert done.items == () and "go on from" in (done.reason or "")


async def test_an_answer_is_stopped_when_it_leaves_the_block() -> None:
    host = FakeHost(" return 1\n\nclass Next:\n" + "    pass\n" * 200)
    done = await complete(host, "def f():\n    ‸\n")
    assert done.items[0].text == "return 1"
    assert "ended by scope" in stages(done)["generate"]
    assert host.closed_streams == 1 and host.pieces_given < 12


async def test_a_last_line_that_was_cut_off_is_left_out() -> None:
    host = FakeHost(" a = 1\n    b = 2222222222222222222222222222")
    done = await service(host, max_completion_tokens=4).complete(query("def f():\n    ‸\n"))
    assert done.items[0].text == "a = 1"


async def test_while_typing_further_lines_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.complete.candidates._LINE_SECONDS", 0.0)
    host = FakeHost("a = 1\n    b = 2\n    c = 3")
    typed = await complete(host, "def f():\n    ‸\n")
    assert typed.items[0].text == "a = 1" and "ended by time" in stages(typed)["generate"]
    asked = await complete(FakeHost("a = 1\n    b = 2\n    c = 3"), "def f():\n    ‸\n", automatic=False)
    assert asked.items[0].text == "a = 1\n    b = 2\n    c = 3"
    one = await complete(FakeHost("a_long_line = 12345"), "def f():\n    ‸\n")
    assert one.items[0].text == "a_long_line = 12345"  # the first line is waited for


async def test_a_first_line_is_not_waited_for_where_the_repository_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.complete.candidates._LINE_SECONDS", 0.0)
    monkeypatch.setattr("pointsman.complete.candidates.SURE", 2.0)
    host = FakeHost("total = sum(some_other_things, of_another_kind)")
    text = "total = add_up(items)\nprint(total)\n\n\ntotal = ‸\n"
    done = await complete(host, text)
    assert done.items[0].text == "add_up(items)" and "ended by time" in stages(done)["generate"]


async def test_a_stuttering_answer_is_ended() -> None:
    host = FakeHost("f(" + "{value} {precision} " * 40)
    done = await complete(host, "x = ‸\n")
    assert done.items == () and done.reason == "the model repeated itself" and host.pieces_given < 40


async def test_auto_closed_brackets_are_covered() -> None:
    (item,) = (await complete(FakeHost("a, b)"), "f(‸)\n")).items
    assert (item.text, item.start, item.end) == ("a, b)", 2, 3)


async def test_windows_line_ends_come_back() -> None:
    (item,) = (await complete(FakeHost("\n    a = 1\n    return a"), "def f():‸\r\n")).items
    assert item.text == "\r\n    a = 1\r\n    return a"


async def test_a_picked_menu_entry_is_extended() -> None:
    host = FakeHost('("x")')
    selected = SelectedCompletion(start=3, end=5, text="path")
    (item,) = (await complete(host, "os.pa‸\n", selected=selected)).items
    assert (item.text, item.start, item.end) == ('path("x")', 3, 5)
    assert host.prompt.endswith("os.") and host.asked[0].request.sampling.begin == "path"


@pytest.mark.parametrize("text", ["‸", "x = va‸l", "x\0 = ‸"])
async def test_pointless_requests_never_reach_the_model(text: str) -> None:
    host = FakeHost()
    done = await complete(host, text)
    assert done.items == () and done.reason and host.asked == []


async def test_an_excluded_file_never_reaches_the_model() -> None:
    host = FakeHost()
    done = await service(host).complete(query("KEY = ‸", name="secret.env"))
    assert "excluded" in (done.reason or "") and host.asked == [] and host.searched == []


async def test_other_exclusions_than_before_empty_the_cache() -> None:
    host, now = FakeHost("one", "two"), Rules()
    completer = service(host, lambda root: now)
    assert (await completer.complete(query("a‸\n"))).items[0].text == "one"
    assert (await completer.complete(query("a‸\n"))).items[0].text == "one"
    now.fingerprint = "others"
    assert (await completer.complete(query("a‸\n"))).items[0].text == "two"


async def test_a_document_that_was_closed_is_offered_nowhere_else() -> None:
    host = FakeHost("", "", "")
    completer = service(host)
    pasted = query("first = self.discarded.value_of(total)\n‸\n", name="a.py")
    other = query("second = self.discarded.‸\n", name="b.py")
    await completer.complete(pasted)
    assert "value_of" in str((await completer.complete(other)).items)
    completer.closed(pasted.snapshot)
    completer._cache.clear()
    assert "value_of" not in str((await completer.complete(other)).items)


async def test_typing_along_asks_the_model_once() -> None:
    host = FakeHost("compute(a)")
    completer = service(host)
    await completer.complete(query("x = a\ny‸\n"))
    for text, rest in [("x = a\ny‸\n", "compute(a)"), ("x = a\nycomp‸\n", "ute(a)"), ("x = a\nycompute(‸)\n", "a)")]:
        done = await completer.complete(query(text))
        assert done.items[0].text == rest
        assert stages(done)["cache"] in ("exact", "typed-through")
    assert len(host.asked) == 1


async def test_another_model_does_not_get_the_first_ones_suggestions() -> None:
    host = FakeHost("one", "two", "three")
    completer = service(host)
    await completer.complete(query("a‸\n"))
    host.facts = facts(name="other")
    await completer.complete(query("b‸\n"))
    assert (await completer.complete(query("a‸\n"))).items[0].text == "three"


async def test_alternatives_are_distinct_and_ranked() -> None:
    host = FakeHost("one", "one", "two")
    done = await complete(host, "a = b‸\n", count=3, automatic=False)
    assert sorted(item.text for item in done.items) == ["one", "two"]
    assert len({item.id for item in done.items}) == 2
    drawn = [asked.request.sampling for asked in host.asked]
    assert [s.temperature > 0 for s in drawn] == [False, True, True]
    assert len({s.seed for s in drawn}) == 3


async def test_chunks_of_other_files_for_a_model_that_can_use_them() -> None:
    host = FakeHost(" 1", facts=facts(fim=FIM))
    host.hits = (
        hit("pkg/b.py", "VALUE = 1"),
        hit("pkg/a.py", "SELF = 1"),
        hit("pkg/old.py", "STALE = 1", fresh=False),
        hit("secret.py", "KEY = 1"),
    )
    done = await complete(host, "x = ‸\n")
    assert "VALUE = 1" in host.prompt and "# pkg/b.py" in host.prompt
    assert not any(word in host.prompt for word in ("SELF", "STALE", "KEY"))
    assert "1 chunks" in stages(done)["context"]
    assert host.searched[0].priority == Priority.TYPING


async def test_what_imports_bring_and_what_was_edited_elsewhere_for_such_a_model() -> None:
    host = FakeHost(*[" 1"] * 6, facts=facts(fim=FIM), hits=[hit("pkg/found.py", "FOUND = 1")])
    host.scope["pkg/a.py"] = tuple(
        Place(path=path, line=1, symbol="f", kind="function", signature=f"def f_of_{path[:-3]}(x):")
        for path in ("lib.py", "secret.py")
    )
    completer = service(host)
    for text in ("y = 1\nz = ‸\n", "y = 1\nCHANGED = 22\nz = ‸\n"):
        await completer.complete(query(text, name="pkg/b.py"))
    await completer.complete(query("x = ‸\n"))
    parts = [host.prompt.index(part) for part in ("def f_of_lib(x):", "FOUND = 1", "CHANGED = 22", "x =")]
    assert parts == sorted(parts) and "f_of_secret" not in host.prompt
    await completer.complete(query("q = ‸\n", name="pkg/b.py"))
    assert "CHANGED" not in host.prompt  # it stands in the document itself


async def test_a_slow_search_is_not_waited_for() -> None:
    host = FakeHost(" 1", facts=facts(fim=FIM), hits=[hit("b.py", "VALUE = 1")])
    host.search_delay = 60
    done = await complete(host, "x = ‸\n")
    assert done.items and "VALUE" not in host.prompt and "longer than" in stages(done)["context"]


async def test_a_search_that_was_cancelled_is_asked_again_and_one_that_came_is_not() -> None:
    host = FakeHost(" 1", " 2", facts=facts(fim=FIM), hits=[hit("b.py", "VALUE = 1")])
    completer = service(host)
    host.search_delay = 60
    task = asyncio.create_task(completer.complete(query("x = ‸\n")))
    await host.searching.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    host.search_delay = 0
    await completer.complete(query("xy = ‸\n"))
    assert len(host.searched) == 2 and "VALUE = 1" in host.prompt
    await completer.complete(query("xyz = ‸\n"))
    assert len(host.searched) == 2 and "VALUE = 1" in host.prompt


async def test_a_model_without_fill_in_the_middle_gets_no_other_text() -> None:
    host = FakeHost("1", hits=[hit("b.py", "VALUE = 1")])
    await complete(host, "x = ‸\nprint(y)\n")
    assert "VALUE" not in host.prompt and "print" not in host.prompt


async def test_cancelling_closes_the_stream() -> None:
    host = FakeHost(" ".join(map(str, range(80))))
    host.piece_delay = 0.01
    task = asyncio.create_task(complete(host, "a = b‸\n"))
    await host.streaming.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert host.closed_streams == 1 and host.pieces_given < 50


async def test_an_error_of_the_engine_is_passed_on() -> None:
    class Broken(FakeHost):
        async def generate(self, params):  # type: ignore[no-untyped-def,override]
            raise EngineError("it broke")
            yield

    with pytest.raises(EngineError):
        await complete(Broken(), "a = b‸\n")


async def test_the_last_record_is_kept_for_explain_and_notes_acceptance() -> None:
    completer = service(FakeHost("1"))
    done = await completer.complete(query("a = b‸\n"))
    uri = query("‸").snapshot.uri
    remembered = completer.explain(uri)
    assert remembered and remembered.completion == done and completer.explain("file:///other") is None
    assert (remembered.line, remembered.column) == (0, 5)
    assert completer.accepted(done.items[0].id) and not completer.accepted("unknown")
    last = completer.explain(uri)
    assert last and last.completion.stages[-1].stage == "accepted"
    completer.withheld(uri, "the document has changed")
    last = completer.explain(uri)
    assert last and last.completion.reason == last.completion.stages[-1].outcome == "the document has changed"


@pytest.mark.parametrize(
    ("text", "written", "shown"),
    [
        ("client = Client(‸)\n", f'api_key="{AWS}")', False),
        ("password = ‸\n", ' "correct-Horse7-battery"\n', False),
        (f'key = "{AWS[:9]}‸\n', f'{AWS[9:]}"', False),
        ("url = ‸\n", ' "https://bob:s3cretPassw0rd@db.example.org/x"\n', False),
        (f'first = "{AWS}"\nsecond = ‸\n', f' "{AWS}"\n', True),
        ("password = ‸\n", ' os.environ["APP_PASSWORD"]\n', True),
        ("width = ‸\n", " 1024\n", True),
    ],
)
async def test_a_suggestion_brings_no_secret_into_the_document(text: str, written: str, shown: bool) -> None:
    finder = Finder(None, secrets=True, personal=False)
    completer = CompletionService(FakeHost(written), rules, Settings(), Gate(0.0), finder.find)  # type: ignore[arg-type]
    done = await completer.complete(query(text))
    assert bool(done.items) is shown
    assert shown or "secret" in (done.reason or "")
