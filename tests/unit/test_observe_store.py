"""The record of usage on disk: bounded, private, survives what goes wrong, and gone when it is to be forgotten."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pointsman.complete.gate import Gate
from pointsman.complete.service import CompletionService
from pointsman.complete.types import Completion, CompletionQuery, Item, Stage
from pointsman.errors import ConfigError, PointsmanError
from pointsman.gateway.finder import Finder
from pointsman.observe import store as store_module
from pointsman.observe.reader import outcomes, read
from pointsman.observe.recorder import Recorder
from pointsman.observe.records import CANCELLED, Answer, Suggestion, answer_of, kind_of, language_of, suggestion_of
from pointsman.observe.store import KEEP_DAYS, Store, connect, forget, tidy
from pointsman.observe.tracker import Retained, Shown, Taken
from pointsman.settings import Paths, Settings, SettingsFile
from pointsman_indexer.transaction import transaction
from tests.pipelines import FakeHost, marked, rules, snapshot

NOW = 1_800_000_000.0


def answer(at: float = NOW, **changes: object) -> Answer:
    values: dict[str, object] = {
        "language": "python",
        "model": "tiny",
        "automatic": True,
        "items": 1,
        "cache": "miss",
        "reason": "",
        "timings_ms": {"total": 5.0},
    }
    return Answer(at=at, **{**values, **changes})  # type: ignore[arg-type]


def suggestion(id: str, at: float = NOW) -> Suggestion:
    return Suggestion(id=id, at=at, language="python", model="tiny", digest="d", features={"score": -0.5})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "usage.sqlite3"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    made = Store(file, now=lambda: NOW)
    yield made
    made.close()


def test_what_is_noted_is_read(store: Store, file: Path) -> None:
    assert read(file, 0.0).answers == () and outcomes(file, 5) == ()
    store.answered(answer())
    for index, id in enumerate(("a", "b", "c")):
        store.suggested(suggestion(id, NOW + index))
    for id in ("a", "b"):
        store.happened(Shown(id))
    store.happened(Taken(id="a", outcome="partly", accepted=3, typed=1))
    store.happened(Taken(id="a", outcome="accepted", accepted=9, typed=1, reported=True))
    store.happened(Retained("a", 30, 0.5))
    store.happened(Retained("unknown", 30, 0.5))
    store.happened(Taken(id="c", outcome="missed", accepted=0, typed=0))
    store.close()
    usage = read(file, 0.0)
    assert usage.answers == (answer(),)
    assert [(o.shown, o.outcome, o.accepted, o.typed, o.kept) for o in usage.outcomes] == [
        (True, "accepted", 9, 1, {30: 0.5}),
        (True, "", 0, 0, {}),
        (False, "missed", 0, 0, {}),
    ]
    assert [(o.outcome, o.features) for o in outcomes(file, 5)] == [("accepted", {"score": -0.5})]
    late = read(file, NOW + 1)
    assert late.answers == () and len(late.outcomes) == 2


def test_private_from_the_start(store: Store, file: Path) -> None:
    store.answered(answer())
    store.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_link_is_not_followed(store: Store, file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    file.symlink_to(tmp_path / "elsewhere")
    store.answered(answer())
    store.close()
    assert not (tmp_path / "elsewhere").exists()


def test_windows_share_the_file_from_the_first_moment(file: Path) -> None:
    stores = [Store(file, now=lambda: NOW) for _ in range(4)]

    def write(one: Store) -> None:
        for number in range(50):
            one.answered(answer(NOW + number))
        one.close()

    threads = [threading.Thread(target=write, args=(one,)) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read(file, 0.0).answers) == 200


def test_old_and_too_many_rows_go(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MOST_ROWS", {"answer": 3, "suggestion": 2})
    with closing(connect(file)) as connection:
        with transaction(connection):
            for day in range(10):
                values = (NOW - day * 86_400, "python", "m", 1, 1, "miss", "", "{}")
                connection.execute("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
                columns = "(id, at, language, model, digest, features)"
                values2 = (str(day), NOW - day * 86_400, "python", "m", "", "{}")
                connection.execute(f"INSERT INTO suggestion {columns} VALUES (?, ?, ?, ?, ?, ?)", values2)
                connection.execute("INSERT INTO kept VALUES (?, 30, 1.0)", (str(day),))
        with transaction(connection):
            tidy(connection, NOW)
        assert [row[0] for row in connection.execute("SELECT id FROM suggestion ORDER BY id")] == ["0", "1"]
        assert connection.execute("SELECT count(*) FROM answer").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
        with transaction(connection):
            tidy(connection, NOW + (KEEP_DAYS - 1) * 86_400 + 1)
        assert connection.execute("SELECT id FROM suggestion").fetchall() == [("0",)]


def test_tidied_at_the_first_write(store: Store, file: Path) -> None:
    store.answered(answer(NOW - (KEEP_DAYS + 1) * 86_400))
    store.answered(answer(NOW))
    store.close()
    assert len(read(file, 0.0).answers) == 1


def test_forgetting_leaves_no_byte_and_a_window_goes_on(file: Path) -> None:
    store = Store(file, now=lambda: NOW)
    store.answered(answer(model="canary-model"))
    store.suggested(suggestion("canary-id"))
    store.close()
    with closing(connect(file)) as other:
        assert other.execute("SELECT count(*) FROM answer").fetchone() == (1,)
        assert forget(file) == 2
    for part in file.parent.iterdir():
        assert b"canary" not in part.read_bytes()
    store.happened(Taken(id="canary-id", outcome="accepted", accepted=1, typed=0))
    store.answered(answer())
    store.close()
    usage = read(file, 0.0)
    assert len(usage.answers) == 1 and usage.outcomes == ()


def test_forgetting_where_there_is_nothing_or_only_damage(file: Path) -> None:
    assert forget(file) == 0 and not file.exists()
    file.parent.mkdir()
    file.write_bytes(b"no database at all, but long enough to be taken for one" * 99)
    with pytest.raises(PointsmanError, match="--forget"):
        read(file, 0.0)
    assert forget(file) == 0 and not file.exists()


def test_a_damaged_or_unwritable_file_is_done_without(
    store: Store, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"no database at all, but long enough to be taken for one" * 99)
    store.answered(answer())
    store.close()
    assert "usage is not recorded" in caplog.text
    file.unlink()
    store.answered(answer())
    store.close()
    assert len(read(file, 0.0).answers) == 1


def test_a_file_that_was_removed_is_made_again(store: Store, file: Path) -> None:
    store.answered(answer())
    deadline = time.monotonic() + 30
    while not file.exists() or not read(file, 0.0).answers:
        assert time.monotonic() < deadline, "nothing was written"
        time.sleep(0.05)
    for part in file.parent.iterdir():
        part.unlink()
    store.answered(answer(NOW + 1))
    store.close()
    assert [one.at for one in read(file, 0.0).answers] == [NOW + 1]


def test_one_of_another_version_is_begun_anew(store: Store, file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE answer (other TEXT)")
        connection.execute("PRAGMA user_version = 99")
        connection.commit()
    assert read(file, 0.0).answers == ()
    store.answered(answer())
    store.close()
    assert len(read(file, 0.0).answers) == 1


def test_a_locked_file_does_not_hold_up_whoever_notes(file: Path) -> None:
    store = Store(file, now=lambda: NOW)
    with closing(connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(20_000):  # more than may wait: the newest are dropped, and nobody stands still
            store.answered(answer())
        assert read(file, 0.0).answers == ()
        other.execute("COMMIT")
    store.close()
    assert 0 < len(read(file, 0.0).answers) <= 20_000


def test_kill_9_loses_at_most_the_last_second(file: Path) -> None:
    code = f"""
import sys, time
from tests.unit.test_observe_store import Store, answer, Path
store = Store(Path({str(file)!r}))
store.answered(answer(time.time()))
time.sleep(1)
print("noted", flush=True)
time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "noted\n"
        process.send_signal(signal.SIGKILL)
    assert len(read(file, 0.0).answers) == 1


def test_what_is_written_down_of_a_completion() -> None:
    text, offset = marked("if x:\r\n    total = ‸  # why\r\n")
    query = CompletionQuery(snapshot=snapshot(text), offset=offset)
    item = Item(id="i", text="1\r\n", score=-0.25, start=offset, end=offset)
    stages = (Stage(stage="cache", outcome="typed-through"),)
    completion = Completion(items=(item,), model="m", timings_ms={"total": 1.234}, stages=stages)
    noted = suggestion_of(query, completion, item, b"key", NOW)
    assert noted.features == {
        "score": -0.25,
        "confidence": 0.5,
        "characters": 3,
        "lines": 2,
        "indent": 4,
        "typed_on_line": 7,
        "behind_word": 0.0,
        "line_end": 0.0,
        "automatic": 1.0,
        "cached": 1.0,
        "total_ms": 1.234,
    }
    assert noted.digest == suggestion_of(query, completion, item, b"key", NOW).digest
    assert noted.digest != suggestion_of(query, completion, item, b"other", NOW).digest
    assert answer_of(query, completion, "", NOW).timings_ms == {"total": 1.2}
    assert answer_of(query, completion, "", NOW).cache == "typed-through"
    withheld = answer_of(query, None, CANCELLED, NOW)
    assert (withheld.items, withheld.reason, withheld.cache) == (0, CANCELLED, "")


async def test_the_users_no_holds_from_the_next_answer_on(file: Path, tmp_path: Path) -> None:
    choices = SettingsFile(Paths.resolve({"POINTSMAN_HOME": str(tmp_path)}).ensure())
    store = Store(file)
    recorder = Recorder(store, lambda: choices.current().record_usage)
    text, offset = marked("x = ‸")
    query = CompletionQuery(snapshot=snapshot(text), offset=offset)

    def answer_with(id: str) -> None:
        item = Item(id=id, text="one + two", score=0.0, start=offset, end=offset)
        recorder.answered(query, Completion(items=(item,), model="m"))

    answer_with("first")
    assert recorder.is_watching(query.snapshot.uri)
    (tmp_path / "config" / "settings.toml").write_text("record_usage = false\n")
    answer_with("second")
    assert not recorder.is_watching(query.snapshot.uri)
    recorder.accepted("first")
    recorder.close()
    store.close()
    usage = read(file, 0.0)
    assert len(usage.answers) == 1 and [one.outcome for one in usage.outcomes] == [""]


@pytest.mark.parametrize(("word", "value"), [("off", False), ("0", False), ("TRUE", True), ("yes", True)])
def test_the_switch_takes_the_usual_words(word: str, value: bool, tmp_path: Path) -> None:
    paths = Paths.resolve({"POINTSMAN_HOME": str(tmp_path)}).ensure()
    assert Settings.load(paths, {"POINTSMAN_RECORD_USAGE": word}).record_usage is value
    with pytest.raises(ConfigError, match="record_usage must be true or false"):
        Settings.load(paths, {"POINTSMAN_RECORD_USAGE": "perhaps"})


async def test_that_a_secret_was_held_back_is_a_kind_of_its_own() -> None:
    key = "AKIA" + "Q3EGWZ7PLXD5TNVM"
    find = Finder(None, secrets=True, personal=False).find
    text, offset = marked("key = ‸\n")
    completer = CompletionService(FakeHost(f' "{key}"\n'), rules, Settings(), Gate(0.0), find)  # type: ignore[arg-type]
    done = await completer.complete(CompletionQuery(snapshot=snapshot(text), offset=offset))
    assert kind_of(done.reason or "") == "it holds what looks like a secret"


def test_reasons_and_languages_are_kinds() -> None:
    assert kind_of("the file is excluded: secret/plan.py") == "the file is excluded"
    assert kind_of("the line is longer than 2000 characters") == "the line is longer than N characters"
    assert kind_of("`name` is unknown") == "other"
    assert kind_of("") == ""
    assert language_of("C++") == "c++"
    assert language_of("<script>") == language_of("a" * 99) == language_of("") == "other"
