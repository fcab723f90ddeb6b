"""The host's indexes when what they stand on changes while they are in use: policy's exclusions, the embedder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from pointsman.errors import OutOfMemory, PointsmanError
from pointsman.host import pause
from pointsman.host.adaptations import Adaptations, Base
from pointsman.host.api import (
    AdaptProgress,
    AdaptReport,
    IndexParams,
    IndexProgress,
    IndexReport,
    InScopeParams,
    SearchParams,
    UsesParams,
)
from pointsman.host.index_thread import Surroundings
from pointsman.host.indexing import Indexes
from pointsman.host.rerank import READ
from pointsman.host.watch import relevant
from pointsman.models.base import Adaptation, EngineState, EngineStatus, Priority

OPEN = Surroundings(exclusions=lambda _: ())


class Untaught:
    def base(self) -> Base:
        return Base(name="a", base_sha256="", adapter_sha256="")

    async def learn(
        self, root: Path, exclude: Sequence[str], seconds: float
    ) -> AsyncGenerator[AdaptProgress | tuple[AdaptReport, bytes], None]:
        raise AssertionError
        yield


NONE = Adaptations(Untaught(), lambda _: ())


class Embedder:
    """Unit vectors; waits for `release` before the first of them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.release = asyncio.Event()
        self.asked = asyncio.Event()
        self.compares, self.fails = True, False
        self.compared: list[str] = []
        self.tried: list[str] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def status(self) -> EngineStatus:
        return EngineStatus(name="fake", model=self.name, state=EngineState.READY)

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "document"], priority: Priority
    ) -> list[list[float]]:
        self.asked.set()
        await self.release.wait()
        return [[1.0, 0.0, 0.0] for _ in texts]

    async def compare(self, query: str, texts: Sequence[str], *, priority: Priority) -> list[float] | None:
        """The seldomer a text has the query's last word, the better, but it has to."""
        self.tried.append(query)
        self.compared = [query, *texts]
        if self.fails:
            raise OutOfMemory("out of memory")
        counts = [text.count(query.split()[-1].strip("?")) for text in texts]
        return [0.5 / count if count else -1.0 for count in counts] if self.compares else None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "open.py").write_text("def shown():\n    return 1\n")
    (root / "closed.py").write_text("def hidden():\n    return 2\n")
    return root


async def update(indexes: Indexes, root: Path, *paths: str) -> IndexReport:
    params = IndexParams(path=str(root), paths=tuple(str(root / path) for path in paths))
    *_, last = [item async for item in indexes.update(params)]
    assert isinstance(last, IndexReport)
    return last


async def test_what_policy_excludes_now_is_not_found_even_before_the_next_update(tmp_path: Path, root: Path) -> None:
    embedder, patterns = Embedder("a"), []
    embedder.release.set()

    async def made(_: Adaptation | None) -> tuple[Embedder, int]:
        return embedder, 3

    indexes = Indexes(tmp_path / "index", made, Surroundings(exclusions=lambda _: tuple(patterns)), NONE)
    await update(indexes, root)

    async def found() -> set[str]:
        return {hit.path for hit in (await indexes.search(SearchParams(path=str(root), query="hidden shown"))).hits}

    assert await found() == {"open.py", "closed.py"}
    patterns.append("closed.py")
    assert await found() == {"open.py"}
    await indexes.close()


async def test_it_is_told_when_every_file_is_found_by_its_words(tmp_path: Path, root: Path) -> None:
    embedder = Embedder("a")
    embedder.release.set()

    async def made(_: Adaptation | None) -> tuple[Embedder, int]:
        return embedder, 3

    indexes = Indexes(tmp_path / "index", made, OPEN, NONE)
    search = SearchParams(path=str(root), query="hidden shown")
    before = await indexes.search(search)
    assert (before.hits, before.complete) == ((), False) and "run `pointsman index`" in before.note
    embedder.release.clear()
    stages: list[str] = []
    async for item in indexes.update(IndexParams(path=str(root))):
        stages.append(item.stage if isinstance(item, IndexProgress) else "report")
        if stages[-1] == "read":
            assert "parse" in stages and "embed" not in stages
            embedder.release.set()  # nothing that was said before needed a vector
            assert {hit.path for hit in (await indexes.search(search)).hits} == {"open.py", "closed.py"}
    assert stages.count("read") == 1 and stages[-1] == "report"
    assert (await indexes.search(search)).complete
    await indexes.close()


async def test_where_nothing_is_to_be_indexed_that_is_said(tmp_path: Path) -> None:
    embedder = Embedder("a")
    embedder.release.set()

    async def made(_: Adaptation | None) -> tuple[Embedder, int]:
        return embedder, 3

    (empty := tmp_path / "empty").mkdir()
    (empty / "data.bin").write_bytes(b"\0" * 64)
    indexes = Indexes(tmp_path / "index", made, OPEN, NONE)
    report = await update(indexes, empty)
    assert report.skipped_paths == {"binary": ("data.bin",)}
    reply = await indexes.search(SearchParams(path=str(empty), query="anything"))
    assert "run `pointsman index`" not in reply.note
    await indexes.close()
    (bare := tmp_path / "bare").mkdir()
    indexes = Indexes(tmp_path / "index", made, OPEN, NONE)
    assert "there is nothing to index here" in (await update(indexes, bare)).note
    reply = await indexes.search(SearchParams(path=str(bare), query="anything"))
    assert reply.complete and "there is nothing to index here" in reply.note
    await indexes.close()


async def test_an_update_whose_embedder_is_replaced_is_told_so(tmp_path: Path, root: Path) -> None:
    old, new = Embedder("a"), Embedder("b")
    new.release.set()
    current = [old]

    async def made(_: Adaptation | None) -> tuple[Embedder, int]:
        return current[0], 3

    indexes = Indexes(tmp_path / "index", made, OPEN, NONE)
    first = asyncio.create_task(update(indexes, root))
    await old.asked.wait()
    current[0] = new
    second = asyncio.create_task(update(indexes, root))
    with pytest.raises(PointsmanError, match="closed"):
        await asyncio.wait_for(first, 10)
    old.release.set()
    assert (await asyncio.wait_for(second, 10)).files == 2
    await indexes.close()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def best(indexes: Indexes, root: Path, query: str) -> tuple[str, str]:
    """The best hit's symbol, and the note."""
    reply = await indexes.search(SearchParams(path=str(root), query=query, k=1))
    return reply.hits[0].symbol if reply.hits else "", reply.note


@pytest.fixture
async def ready(tmp_path: Path, root: Path) -> AsyncIterator[tuple[Indexes, Embedder]]:
    """An index that was built, and its embedder."""
    embedder = Embedder("a")
    embedder.release.set()

    async def made(_: Adaptation | None) -> tuple[Embedder, int]:
        return embedder, 3

    indexes = Indexes(tmp_path / "index", made, OPEN, NONE)
    await update(indexes, root)
    yield indexes, embedder
    embedder.release.set()
    await indexes.close()


async def test_a_file_that_changes_is_found_without_a_request(ready: tuple[Indexes, Embedder], root: Path) -> None:
    indexes, _ = ready
    (root / "new.py").write_text("def brand_new():\n    value = 1\n    value += 2\n    return value\n")

    async def there() -> bool:
        return (await best(indexes, root, "brand_new"))[0] == "brand_new"

    await until(there)
    (root / "new.py").unlink()

    async def gone() -> bool:
        return (await best(indexes, root, "brand_new"))[0] != "brand_new"

    await until(gone)


async def test_what_is_in_scope_and_who_uses_it(ready: tuple[Indexes, Embedder], root: Path) -> None:
    indexes, _ = ready
    (root / "stock.py").write_text("def take(count):\n    left = 9 - count\n    return left\n")
    (root / "shop.py").write_text("from stock import take\n\n\ndef sell():\n    return take(1)\n")
    (root / "other.py").write_text("def take():\n    return None\n")
    await update(indexes, root)
    reply = await indexes.in_scope(InScopeParams(path=str(root), file="shop.py", line=5, names=("take",)))
    first = reply.definitions[0]
    assert (first.path, first.line, first.end_line, first.signature) == ("stock.py", 1, 3, "def take(count):")
    both = await indexes.uses(UsesParams(path=str(root), symbol="take"))
    one = await indexes.uses(UsesParams(path=str(root), symbol="take", file="stock.py"))
    assert {place.path for place in both.definitions} == {"stock.py", "other.py"}
    assert [place.path for place in one.definitions] == ["stock.py"]
    assert ("shop.py", 5, "sell") in {(use.path, use.line, use.symbol) for use in one.uses}
    assert (both.note, one.note) == ("", "")


async def test_it_is_told_what_cannot_be_known(ready: tuple[Indexes, Embedder], root: Path) -> None:
    indexes, _ = ready
    (root / "stock.cpp").write_text("int take_one(int count) {\n  return count - 1;\n}\n")
    await update(indexes, root)
    reply = await indexes.uses(UsesParams(path=str(root), symbol="take_one"))
    assert len(reply.definitions) == 1 and (reply.uses, reply.note) == ((), "uses are not known for cpp")
    assert (await indexes.uses(UsesParams(path=str(root), symbol="nothing"))).note == ""
    found = await indexes.search(SearchParams(path=str(root), query="take_one", language="cobol"))
    assert (found.hits, found.note) == ((), "no language is called 'cobol'")


async def test_hits_that_are_read_beside_the_query_come_in_the_order_of_that(
    ready: tuple[Indexes, Embedder], root: Path
) -> None:
    indexes, embedder = ready
    for name, times in (("take", 1), ("takes_more", 3), ("takes_most", 9)):
        (root / f"{name}.py").write_text(f"def {name}(cart):\n    return {' + '.join(['stock'] * times)}\n")
    await update(indexes, root)
    asked = SearchParams(path=str(root), query="How does it take stock", k=3)
    quick, close = (await indexes.search(asked)), (await indexes.search(replace(asked, closely="always")))
    assert quick.hits[0].symbol != "take"
    assert [hit.symbol for hit in close.hits] == ["take", "takes_more", "takes_most"]
    assert [hit.score for hit in close.hits] == sorted((hit.score for hit in close.hits), reverse=True)
    assert (quick.likeness, close.likeness) == (None, pytest.approx(0.6 * 0.5 + 0.4))
    query, *texts = embedder.compared
    assert query == "How does it take stock" and "takes_most.py takes_most\ndef takes_most(cart):" in "\n".join(texts)
    embedder.compares = False
    plain = await indexes.search(replace(asked, closely="always"))
    assert (plain.hits, plain.likeness) == (quick.hits, None)
    embedder.fails = True
    assert await indexes.search(replace(asked, closely="always")) == plain
    assert len(embedder.tried) == 3
    await indexes.search(replace(asked, closely="always"))
    assert len(embedder.tried) == 3  # it would end the process again


@pytest.mark.parametrize(
    "query", ["takes_more", "takes_more.py", "takes_more.py:2: error: stock", "takes_more cart stock"]
)
async def test_what_is_no_question_keeps_its_order(ready: tuple[Indexes, Embedder], root: Path, query: str) -> None:
    indexes, _ = ready
    (root / "takes_more.py").write_text("def takes_more(cart):\n    return cart.stock\n\n\ntakes_more(stock)\n")
    (root / "other.py").write_text(f"def other():\n    return '{query.split()[-1]}'\n")
    await update(indexes, root)
    reply = await indexes.search(SearchParams(path=str(root), query=query, closely="always"))
    assert reply.hits[0].path == "takes_more.py" and reply.likeness is not None


async def test_more_hits_are_read_than_are_shown_and_not_all(ready: tuple[Indexes, Embedder], root: Path) -> None:
    indexes, embedder = ready
    for number in range(READ + 8):
        (root / f"take{number}.py").write_text(f"def take{number}(cart):\n    return {'stock ' * number}cart\n")
    await update(indexes, root)
    asked = SearchParams(path=str(root), query="How does it take stock", k=READ + 4)
    quick = await indexes.search(asked)
    close = await indexes.search(replace(asked, closely="questions"))
    assert len(embedder.compared) == 1 + READ
    assert {hit.path for hit in close.hits[:READ]} == {hit.path for hit in quick.hits[:READ]}
    assert close.hits[:READ] != quick.hits[:READ] and close.hits[READ:] == quick.hits[READ:]
    embedder.compared.clear()
    assert (await indexes.search(replace(asked, k=2, closely="questions"))).hits == close.hits[:2]
    assert len(embedder.compared) == 1 + READ


async def test_only_a_question_is_read_for_by_itself(ready: tuple[Indexes, Embedder], root: Path) -> None:
    indexes, embedder = ready
    asked = SearchParams(path=str(root), query="shown", closely="questions")
    assert (await indexes.search(asked)).likeness is None and not embedder.tried
    assert (await indexes.search(replace(asked, query="What is shown?"))).likeness is not None
    nothing = await indexes.search(replace(asked, query="What is shown?", language="go", closely="always"))
    assert nothing.hits == () and len(embedder.tried) == 1


async def test_only_the_named_paths_are_looked_at(ready: tuple[Indexes, Embedder], root: Path) -> None:
    indexes, _ = ready
    report = await update(indexes, root, "open.py", "missing.py", "../outside.py")
    assert report.files == 2


async def test_what_is_saved_is_found_by_words_before_it_is_embedded(
    ready: tuple[Indexes, Embedder], root: Path
) -> None:
    indexes, embedder = ready
    embedder.release.clear()
    embedder.asked.clear()
    saved = "def saved_now():\n    value = 1\n    value += 2\n    return value\n"
    (root / "saved.py").write_text(saved)
    updating = asyncio.create_task(update(indexes, root, "saved.py"))
    await embedder.asked.wait()  # for the vector: the words are stored by then
    searching = asyncio.create_task(best(indexes, root, "saved_now"))
    await asyncio.sleep(0)
    embedder.release.set()
    symbol, _ = await asyncio.wait_for(searching, 20)
    assert symbol == "saved_now"
    assert (await asyncio.wait_for(updating, 20)).files == 3


async def test_indexing_pauses_and_goes_on(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.host.updating._PAUSE_SECONDS", 0.01)
    embedder, reasons = Embedder("a"), ["while on battery"]
    embedder.release.set()

    async def made(_: Adaptation | None) -> tuple[Embedder, int]:
        return embedder, 3

    surroundings = Surroundings(exclusions=lambda _: (), pause=lambda: reasons[0] if reasons else "")
    indexes = Indexes(tmp_path / "index", made, surroundings, NONE)
    updating = asyncio.create_task(update(indexes, root))

    async def paused() -> bool:
        return any("while on battery" in state.message for state in indexes.states())

    await until(paused)
    assert not embedder.asked.is_set()
    _, note = await best(indexes, root, "shown")
    assert "by their words only" in note
    reasons.clear()
    assert (await asyncio.wait_for(updating, 20)).files == 2
    assert (await best(indexes, root, "shown"))[1] == ""
    await indexes.close()


async def test_without_a_watch_the_next_request_looks_at_everything(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> AsyncIterator[object]:
        raise OSError(28, "no more watches")
        yield

    monkeypatch.setattr("watchfiles.awatch", refused)
    embedder = Embedder("a")
    embedder.release.set()

    async def made(_: Adaptation | None) -> tuple[Embedder, int]:
        return embedder, 3

    indexes = Indexes(tmp_path / "index", made, OPEN, NONE)
    await update(indexes, root)

    async def told() -> bool:
        return "not watched" in indexes.states()[0].message

    await until(told)
    (root / "late.py").write_text("def late():\n    return 3\n")
    assert (await update(indexes, root, "open.py")).files == 3
    await indexes.close()


async def test_what_a_failed_update_was_to_look_at_is_looked_at_by_the_next(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: Path) -> AsyncGenerator[set[str], None]:
        await asyncio.Event().wait()
        yield set()

    monkeypatch.setattr("pointsman.host.updating.changes", nothing)
    embedder = Embedder("a")
    embedder.release.set()
    broken = False

    def exclusions(_: Path) -> Sequence[str]:
        if broken:
            raise PointsmanError("the policy is broken")
        return ()

    async def made(_: Adaptation | None) -> tuple[Embedder, int]:
        return embedder, 3

    indexes = Indexes(tmp_path / "index", made, Surroundings(exclusions=exclusions), NONE)
    await update(indexes, root)
    (root / "late.py").write_text("def late():\n    return 3\n")
    broken = True
    with pytest.raises(PointsmanError, match="broken"):
        await update(indexes, root, "late.py")
    assert not indexes.states()[0].busy
    broken = False
    assert (await update(indexes, root, "open.py")).files == 3
    await indexes.close()


async def test_a_snapshot_goes_from_one_user_to_another(tmp_path: Path, root: Path) -> None:
    embedder = Embedder("a")
    embedder.release.set()

    async def made(_: Adaptation | None) -> tuple[Embedder, int]:
        return embedder, 3

    file = tmp_path / "team.snapshot"
    theirs = Indexes(tmp_path / "theirs", made, OPEN, NONE)
    *steps, last = [item async for item in theirs.update(IndexParams(path=str(root), export_to=str(file)))]
    assert isinstance(last, IndexReport) and (last.exported, last.imported, last.embedded) == (2, 0, 2)
    assert steps[-1].stage == "export" and steps[-1].done == 2
    await theirs.close()

    (root / "closed.py").rename(root / "moved.py")
    ours = Indexes(tmp_path / "ours", made, OPEN, NONE)
    *steps, last = [item async for item in ours.update(IndexParams(path=str(root), import_from=str(file)))]
    assert isinstance(last, IndexReport)
    assert (last.exported, last.imported, last.embedded, last.reused, last.files) == (0, 1, 0, 2, 2)
    assert {"check", "import"} <= {step.stage for step in steps}
    assert await best(ours, root, "hidden") == ("hidden", "")

    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(PointsmanError, match="damaged") as refused:
        [item async for item in ours.update(IndexParams(path=str(root), import_from=str(file)))]
    assert refused.value.remedy
    with pytest.raises(PointsmanError, match="cannot be written"):
        [item async for item in ours.update(IndexParams(path=str(root), export_to=str(tmp_path / "no" / "file")))]
    assert (await update(ours, root)).files == 2
    await ours.close()


def test_git_says_when_everything_may_have_changed(tmp_path: Path) -> None:
    def told(*paths: str) -> tuple[str, ...] | None:
        return relevant(tmp_path, [str(tmp_path / path) for path in paths])

    assert told("a/b.py", "c.py", "a/b.py") == ("a/b.py", "c.py")
    assert told(".git/objects/ab/cd", ".git/index.lock") == ()
    assert told("a.py", ".git/HEAD") is None
    assert told("vendored/.git/index") is None
    assert told("node_modules/x/index.js", "src/__pycache__/a.pyc") == ()


def test_a_battery_that_drains_is_seen(tmp_path: Path) -> None:
    assert not pause.on_battery(tmp_path / "missing")
    for name, kind, status in (("AC", "Mains", "Unknown"), ("BAT0", "Battery", "Charging")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(f"{kind}\n")
        (tmp_path / name / "status").write_text(f"{status}\n")
    assert not pause.on_battery(tmp_path)
    (tmp_path / "BAT0" / "status").write_text("Discharging\n")
    assert pause.on_battery(tmp_path)
    assert pause.reason("battery", lambda: True, lambda: True) == "while on battery"
    assert pause.reason("load", lambda: True, lambda: True) == "while the machine is busy"
    assert pause.reason("never", lambda: True, lambda: True) == pause.reason("both", lambda: False, lambda: False) == ""
