"""The whole library on a real repository, with the store on disk."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman_indexer import EmbeddingError, Index, IndexerError, IndexLocked, Progress
from pointsman_indexer.store import Point
from pointsman_indexer.store_edge import EdgeStore
from tests.unit.indexer_repo import CountingEmbedder, Repo, function, state


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    made.write("shop/cart.py", '"""Carts."""\n\n\n' + function("add_item") + function("remove_item", "return 2"))
    made.write("shop/tax.py", function("vat_rate", "return 0.2"))
    made.write("README.md", "# Shop\n\nHow to sell.\n")
    made.commit()
    return made


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def index(repo: Repo, tmp_path: Path, embedder: CountingEmbedder) -> Iterator[Index]:
    with Index.open(repo.root, tmp_path / "data", embedder) as opened:
        yield opened


def test_first_update(index: Index, repo: Repo, embedder: CountingEmbedder) -> None:
    repo.write("logo.png", b"\x89PNG\0\0")
    repo.write("latin.txt", b"caf\xe9 au lait")
    repo.write("empty.py", "")
    steps: list[Progress] = []
    report = index.update(progress=steps.append)
    assert (report.files, report.chunks, report.embedded, report.reused) == (5, 6, 6, 0)
    assert report.skipped == {"binary": 1}
    assert report.revision == repo.git("rev-parse", "HEAD").strip()
    assert report.root == str(repo.root) and report.model == embedder.name
    assert index.counts() == (5, 6) and index.notes() == {"invalid_utf8": 1}
    assert next(step.stage for step in steps if step.done == step.total) == "scan"
    assert {step.stage for step in steps} == {"scan", "parse", "embed", "store"}
    assert all(0 < step.done <= step.total for step in steps)
    catalogue, store = state(index)
    assert catalogue == store


def test_an_unchanged_repository_costs_no_embedding(index: Index, embedder: CountingEmbedder) -> None:
    index.update()
    embedder.seen.clear()
    report = index.update()
    assert (report.embedded, report.reused, report.files) == (0, 0, 3) and embedder.seen == []
    assert report.skipped == {}


def test_one_changed_function_is_embedded_alone(index: Index, repo: Repo, embedder: CountingEmbedder) -> None:
    index.update()
    embedder.seen.clear()
    repo.write(
        "shop/cart.py", '"""Carts."""\n\n\n' + function("add_item", "return 99") + function("remove_item", "return 2")
    )
    report = index.update()
    assert (report.embedded, report.reused) == (1, 2)
    assert "return 99" in embedder.seen[0]
    assert [hit.symbol for hit in index.search("add_item", 1)] == ["add_item"]
    assert "return 99" in index.search("add_item", 1)[0].text


def test_what_only_moved_keeps_its_point(index: Index, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    index.update()
    written: list[str] = []
    upsert = EdgeStore.upsert

    def noted(store: EdgeStore, points: Sequence[Point]) -> None:
        written.extend(one.id for one in points)
        upsert(store, points)

    monkeypatch.setattr(EdgeStore, "upsert", noted)
    repo.write(
        "shop/cart.py", '"""Carts."""\n\n\n' + function("add_item", "return 99") + function("remove_item", "return 2")
    )
    index.update()
    assert len(written) == 1
    repo.write(
        "shop/cart.py", '"""Carts."""\n\n\n' + function("remove_item", "return 2") + function("add_item", "return 99")
    )
    index.update()
    assert len(written) == 1
    hit = index.search("remove_item", 1)[0]
    assert (hit.symbol, hit.start_line) == ("remove_item", 4)
    catalogue, store = state(index)
    assert catalogue == store


def test_a_touched_file_and_a_rename_embed_nothing(index: Index, repo: Repo, embedder: CountingEmbedder) -> None:
    index.update()
    os.utime(repo.root / "shop" / "tax.py", ns=(1, 1))
    repo.git("mv", "shop/cart.py", "shop/basket.py")
    report = index.update()
    assert (report.embedded, report.reused) == (0, 3)
    assert index.search("add_item", 1)[0].path == "shop/basket.py"


def test_branches_and_back_embed_nothing_known(index: Index, repo: Repo) -> None:
    index.update()
    repo.git("checkout", "-q", "-b", "side")
    repo.write("shop/new.py", function("only_here"))
    repo.write("shop/tax.py", function("vat_rate", "return 0.19"))
    repo.commit()
    assert index.update().embedded == 2
    repo.git("checkout", "-q", "main")
    assert index.update().embedded == 0
    assert index.counts()[0] == 3
    repo.git("checkout", "-q", "side")
    assert index.update().embedded == 0
    assert index.search("only_here", 1)[0].path == "shop/new.py"


def on_disk(folder: Path, canary: bytes) -> list[str]:
    return [file.name for file in folder.rglob("*") if file.is_file() and canary in file.read_bytes()]


def vector_of(index: Index, symbol: str) -> bytes:
    sha = next(one.sha256 for _, one in index._catalog.all_chunks() if one.symbol == symbol)
    return index._catalog.vectors.get(f"{index._embedder.name}/{index._embedder.dimension}", [sha])[sha].tobytes()


@pytest.mark.parametrize("way", ["pointsmanignore", "pattern", "gitignore"])
def test_excluding_later_leaves_no_byte(repo: Repo, tmp_path: Path, embedder: CountingEmbedder, way: str) -> None:
    for number in range(30):
        repo.write(f"pad{number}.py", function(f"pad_{number}", f"return 'padding {number}'"))
    source = function("canary_symbol", "return 'canary_text'") + "def canary_two():\n    pass\n"
    repo.write("canary_folder/canary_file.py", source)
    data = tmp_path / "data"
    with Index.open(repo.root, data, embedder) as index:
        index.update()
        assert index.search("canary_symbol", 1)[0].symbol == "canary_symbol"
        vector = vector_of(index, "canary_symbol")
    assert on_disk(data, b"canary") and len(on_disk(data, vector)) == 2
    pattern = "c?nary_folder/"  # the ignore files are themselves indexed
    if way != "pattern":
        repo.write(f".{way}", pattern)
    with Index.open(repo.root, data, embedder, exclude=[pattern] if way == "pattern" else []) as index:
        if way != "gitignore":
            assert all("canary" not in hit.path for hit in index.search("canary_symbol", 50))
        embedder.seen.clear()
        report = index.update()
        assert all("canary" not in text for text in embedder.seen)
        assert on_disk(data, b"canary") == on_disk(data, vector) == []
        catalogue, store = state(index)
        assert catalogue == store and len(store) == report.chunks
        assert all("canary" not in hit.path + hit.text for hit in index.search("canary_symbol canary_text", 50))
        assert index.search("pad_7", 1)[0].symbol == "pad_7"
    assert on_disk(data, b"canary") == []


def test_what_was_deleted_before_it_was_excluded_leaves_no_vector(
    repo: Repo, tmp_path: Path, embedder: CountingEmbedder
) -> None:
    file = repo.write("held.py", function("held_back", "return 'unmistakable'"))
    data = tmp_path / "data"
    with Index.open(repo.root, data, embedder) as index:
        index.update()
        vector = vector_of(index, "held_back")
        file.unlink()
        index.update()
    assert on_disk(data, vector)
    with Index.open(repo.root, data, embedder, exclude=["held.py"]) as index:
        index.update()
    assert on_disk(data, vector) == []


def test_the_data_folder_inside_the_repository_is_not_indexed(repo: Repo, embedder: CountingEmbedder) -> None:
    with Index.open(repo.root, repo.root / ".index", embedder) as index:
        index.update()
        assert index.update().skipped.keys() == {"excluded"}
        assert index.counts()[0] == 3


def test_stopping_keeps_what_was_made(index: Index, repo: Repo, embedder: CountingEmbedder) -> None:
    embedder.max_batch = 2
    report = index.update(should_stop=lambda: len(embedder.seen) >= 2)
    assert report.embedded == 2 and report.files == 3
    assert index.search("vat_rate", 1)[0].symbol == "vat_rate"
    report = index.update()
    assert (report.files, report.embedded, report.reused) == (3, 3, 2)
    catalogue, store = state(index)
    assert catalogue == store


def test_another_embedder_means_new_vectors(index: Index, repo: Repo, tmp_path: Path) -> None:
    index.update()
    index.close()
    other = CountingEmbedder(32)
    with Index.open(repo.root, tmp_path / "data", other) as again:
        assert again.search("vat_rate", 1)[0].symbol == "vat_rate"  # by name alone: no vector can be compared yet
        assert again.update().embedded == 5
        assert again.search("vat_rate", 1)[0].symbol == "vat_rate"
    with Index.open(repo.root, tmp_path / "data", CountingEmbedder()) as back:
        assert back.update().embedded == 0
        catalogue, store = state(back)
        assert catalogue == store


@pytest.mark.parametrize("damage", ["store", "config", "catalogue", "points"])
def test_damage_heals(repo: Repo, tmp_path: Path, embedder: CountingEmbedder, damage: str) -> None:
    data = tmp_path / "data"
    with Index.open(repo.root, data, embedder) as index:
        index.update()
        if damage == "points":
            index._stores.live.reset()
    (vectors,) = data.glob("vectors-*")
    if damage == "store":
        for file in (vectors / "segments").rglob("*"):
            if file.is_file():
                file.unlink()
    if damage == "config":
        (vectors / "edge_config.json").write_bytes(b"\0\0")
    if damage == "catalogue":
        (data / "catalog.sqlite").write_bytes(b"not a database" * 1000)
    with Index.open(repo.root, data, embedder) as index:
        index.update()
        catalogue, store = state(index)
        assert catalogue == store and len(store) == 5
        assert index.search("vat_rate", 1)[0].fresh


def test_a_file_that_disappears_midway_is_left_out(index: Index, repo: Repo) -> None:
    index.update()
    repo.write("shop/tax.py", function("vat_rate", "return 7"))
    repo.write("shop/late.py", function("late"))

    def vanish(step: Progress) -> None:
        if step.stage == "scan":
            (repo.root / "shop" / "late.py").unlink()
            (repo.root / "shop" / "tax.py").unlink()

    report = index.update(progress=vanish)
    assert report.files == 2
    catalogue, store = state(index)
    assert catalogue == store
    assert not index._catalog.has_dirty()


def test_a_file_that_cannot_be_read_is_counted(index: Index, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    from pointsman_indexer import files

    read = files.read

    def refuse(root: Path, path: str) -> files.FileData | None:
        if path == "shop/tax.py":
            raise PermissionError(13, "no")
        return read(root, path)

    monkeypatch.setattr(files, "read", refuse)
    report = index.update()
    assert report.skipped == {"unreadable": 1} and report.files == 2
    assert report.skipped_paths == {"unreadable": ("shop/tax.py",)}


def test_what_is_skipped_is_named_but_for_what_is_excluded(index: Index, repo: Repo) -> None:
    repo.write("data.bin", b"\0" * 64)
    repo.write(".env", "KEY=1")
    for number in range(25):
        repo.write(f"big/{number:02}.py", b"x" * (1024 * 1024 + 1))
    report = index.update()
    assert report.skipped == {"binary": 1, "excluded": 1, "too_large": 25}
    assert report.skipped_paths["binary"] == ("data.bin",) and ".env" not in str(report.skipped_paths)
    assert report.skipped_paths["too_large"] == tuple(f"big/{number:02}.py" for number in range(20)), "the first ones"
    repo.write(".pointsmanignore", "data.bin\nbig/\n")
    assert index.update().skipped_paths == {}


def test_the_server_store_serves_the_facade(repo: Repo, tmp_path: Path, embedder: CountingEmbedder) -> None:
    for expected in (5, 0):  # the stand-in forgets when closed; the catalogue restores it without embedding
        with Index.open(repo.root, tmp_path / "data", embedder, store_url=":memory:") as index:
            assert index.update().embedded == expected
            catalogue, store = state(index)
            assert catalogue == store and len(store) == 5
            assert index.search("vat_rate", 1)[0].symbol == "vat_rate"


def test_one_index_at_a_time(index: Index, repo: Repo, tmp_path: Path, embedder: CountingEmbedder) -> None:
    with pytest.raises(IndexLocked):
        Index.open(repo.root, tmp_path / "data", embedder)
    index.close()
    index.close()
    Index.open(repo.root, tmp_path / "data", embedder).close()


def test_the_data_folder_is_for_its_owner_alone(index: Index, tmp_path: Path, repo: Repo) -> None:
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IndexerError, match="is a link"):
        Index.open(repo.root, tmp_path / "link", CountingEmbedder())
    with pytest.raises(IndexerError, match="not a folder"):
        Index.open(repo.root / "missing", tmp_path / "other", CountingEmbedder())


@pytest.mark.parametrize("answer", [[], [[1.0] * 3] * 5, [[float("nan")] * 64] * 5])
def test_an_embedder_that_breaks_its_contract(repo: Repo, tmp_path: Path, answer: list[list[float]]) -> None:
    class Broken(CountingEmbedder):
        def embed(self, texts: object, *, kind: object) -> list[list[float]]:
            return answer

    with Index.open(repo.root, tmp_path / "data", Broken()) as index, pytest.raises(EmbeddingError):
        index.update()
    with Index.open(repo.root, tmp_path / "data", CountingEmbedder()) as index:
        assert index.update().chunks == 5


def test_only_the_paths_told_are_looked_at(index: Index, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    from pointsman_indexer import listing

    index.update()

    def no_walk(*_: object) -> None:
        raise AssertionError("everything was looked at")

    with monkeypatch.context() as patched:
        patched.setattr(listing, "walk", no_walk)
        repo.write("shop/new.py", function("brand_new"))
        repo.write("shop/tax.py", function("vat_rate", "return 0.19"))
        (repo.root / "README.md").unlink()
        assert index.update(["shop/new.py"]).files == 4
        assert index.search("brand_new", 1)[0].path == "shop/new.py"
        assert not index.search("vat_rate", 1)[0].fresh  # nobody told of it
        report = index.update(["shop", "README.md", "never/was.py", "../outside.py"])
        assert (report.files, report.embedded) == (3, 1)
        assert "0.19" in index.search("vat_rate", 1)[0].text
        (repo.root / "shop" / "cart.py").rename(repo.root / "cart.py")
        report = index.update(["shop/cart.py", "cart.py", "cart.py"])
        assert (report.files, report.embedded) == (3, 0)
        assert index.search("add_item", 1)[0].path == "cart.py"
    repo.write(".gitignore", "cart.py\n")
    report = index.update([".gitignore"])
    assert report.files == 3 and all(hit.path != "cart.py" for hit in index.search("add_item", 50))
    catalogue, store = state(index)
    assert catalogue == store


def test_the_first_phase_alone_is_found_by_words(index: Index, repo: Repo, embedder: CountingEmbedder) -> None:
    report = index.update(embed=False)
    assert (report.files, report.embedded) == (3, 0) and embedder.seen == []
    assert index.missing() == (0, 5)
    assert index.search("vat_rate", 1, mode="lexical")[0].symbol == "vat_rate"
    assert index.update([]).embedded == 5
    assert index.missing() == (0, 0)
    catalogue, store = state(index)
    assert catalogue == store


def test_what_is_not_read_yet_is_searched_as_text(index: Index, repo: Repo) -> None:
    repo.write("hidden.env.py", function("secret_rate"))
    repo.write(".pointsmanignore", "hidden.*\n")
    index.update(should_stop=lambda: True)
    assert index.missing() == (4, 0) and index.counts() == (0, 0)
    hit = index.search("what is the vat_rate", 1)[0]
    assert (hit.path, hit.fresh) == ("shop/tax.py", True) and "def vat_rate" in hit.text
    assert all("hidden" not in hit.path for hit in index.search("secret_rate", 10))
    assert index.update([]).files == 4
    assert index.missing() == (0, 0)


def test_the_old_embedder_answers_until_the_new_one_is_done(index: Index, repo: Repo, tmp_path: Path) -> None:
    index.update()
    index.close()
    other = CountingEmbedder(32)
    with Index.open(repo.root, tmp_path / "data", other) as again:
        assert again.serving == "hash-64" and again.missing() == (0, 5)
        other.max_batch = 2
        again.update(should_stop=lambda: len(other.seen) >= 2)
        assert again.serving == "hash-64" and again.search("vat_rate", 1)[0].symbol == "vat_rate"
        repo.write("shop/late.py", function("late"))
        again.update(["shop/late.py"], embed=False)
        assert again.search("late", 1)[0].symbol == "late"
        again.update()
        assert again.serving == "hash-32" and again.missing() == (0, 0)
        assert len(list((tmp_path / "data").glob("vectors*"))) == 1
        catalogue, store = state(again)
        assert catalogue == store and len(store) == 6


def test_a_branch_switch_parses_nothing_known(index: Index, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    from pointsman_indexer.pool import Parsers

    index.update()
    repo.git("checkout", "-q", "-b", "side")
    repo.write("shop/tax.py", function("vat_rate", "return 0.19"))
    repo.commit()
    index.update()
    repo.git("checkout", "-q", "main")
    parse = Parsers.parse
    asked: list[str] = []

    def watched(self: Parsers, sources: Iterator[Any]) -> Iterator[Any]:
        return parse(self, (asked.append(source.path) or source for source in sources))

    monkeypatch.setattr(Parsers, "parse", watched)
    assert index.update().embedded == 0 and asked == []
    assert "0.2" in index.search("vat_rate", 1)[0].text


def test_a_compacted_copy_takes_over_with_all_that_was_written_meanwhile(
    index: Index, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman_indexer.stores._FEW", 0)
    index.update()
    before = index._catalog.meta("store")
    assert index._stores._compaction is not None
    repo.write("shop/tax.py", function("vat_rate", "return 0.25"))
    repo.write("shop/late.py", function("late"))
    (repo.root / "README.md").unlink()
    with monkeypatch.context() as patched:  # the copy stays behind until all is written
        patched.setattr(index._stores, "adopt", lambda: None)
        index.update(["shop/tax.py", "shop/late.py", "README.md"], embed=False)
        index.update([])
    index._stores.adopt(wait=True)
    assert index._stores._compaction is None and index._catalog.meta("store") != before
    catalogue, store = state(index)
    assert catalogue == store and len(store) == 5
    assert index.search("late", 1)[0].symbol == "late" and "0.25" in index.search("vat_rate", 1)[0].text
    assert len(list((tmp_path / "data").glob("vectors*"))) == 1


def test_no_room_for_a_copy_leaves_the_store_as_it_is(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman_indexer.stores._FEW", 0)

    def full(source: Path, copy: Path) -> None:
        copy.mkdir()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pointsman_indexer.compaction.shutil.copytree", full)
        index.update()
    assert index._stores._compaction is None and index.search("vat_rate", 1)
    assert len(list((tmp_path / "data").glob("vectors*"))) == 1
    index._stores.compact()
    assert index._stores._compaction is not None, "it is tried again"


def test_what_is_excluded_leaves_the_copy_as_well(
    repo: Repo, tmp_path: Path, embedder: CountingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman_indexer.stores._FEW", 0)
    repo.write("canary.py", function("canary_symbol"))
    data = tmp_path / "data"
    with Index.open(repo.root, data, embedder) as index:
        index.update()
        vector = vector_of(index, "canary_symbol")
        repo.write(".pointsmanignore", "c?nary.py\n")
        index.update([".pointsmanignore"])
        index._stores.adopt(wait=True)
        assert on_disk(data, b"canary") == on_disk(data, vector) == []
        assert len(list(data.glob("vectors*"))) <= 2


def test_a_worktree_a_submodule_links_and_a_plain_folder(repo: Repo, tmp_path: Path) -> None:
    library = Repo(tmp_path / "library")
    library.write("inner.py", function("of_the_library"))
    library.commit()
    repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.root), "vendor/lib")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "theirs.py").write_text(function("of_somebody_else"))
    (repo.root / "alias.py").symlink_to("shop/tax.py")
    (repo.root / "folder").symlink_to("shop")
    (repo.root / "away.py").symlink_to(tmp_path / "outside" / "theirs.py")
    (repo.root / "away").symlink_to(tmp_path / "outside")
    repo.commit()
    repo.git("worktree", "add", "-q", str(tmp_path / "tree"), "-b", "side")
    shutil.copytree(repo.root / "shop", tmp_path / "plain")
    own = {"README.md", "shop/cart.py", "shop/tax.py", ".gitmodules"}
    roots = {
        repo.root: own | {"vendor/lib/inner.py"},
        tmp_path / "tree": own,  # where the submodule is not checked out
        repo.root / "vendor" / "lib": {"inner.py"},
        tmp_path / "plain": {"cart.py", "tax.py"},
    }
    for number, (root, paths) in enumerate(roots.items()):
        with Index.open(root, tmp_path / f"data{number}", CountingEmbedder()) as index:
            index.update()
            assert {one.path for one in index.chunks()} == paths
            assert not [hit for hit in index.search("of_somebody_else", 20) if "of_somebody_else" in hit.text]
