"""The chat over a real index and its graph: where each kind of question finds its sources, and what is never cited."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from pointsman.chat.kinds import read
from pointsman.chat.retrieve import retrieve
from pointsman.chat.service import ChatService
from pointsman.chat.sources import Source
from pointsman.chat.types import Answer, Question
from pointsman.host.adaptations import Adaptations, Base
from pointsman.host.api import (
    AdaptProgress,
    AdaptReport,
    IndexParams,
    OutlineParams,
    OutlineReply,
    SearchParams,
    SearchReply,
    UsesParams,
    UsesReply,
)
from pointsman.host.index_thread import Surroundings
from pointsman.host.indexing import Indexes
from pointsman.models.base import Adaptation, EngineState, EngineStatus, Priority
from pointsman.settings import Settings
from pointsman_indexer import HashEmbedder
from pointsman_indexer.files import blob_of
from tests.pipelines import FakeHost, FixedRouter, rules

FILES = {
    "README.md": "# Shop\n\nA small shop that sells fruit.\n",
    "shop/__init__.py": "",
    "shop/stock.py": '"""What is in the store."""\n\n\nclass OutOfStock(Exception):\n    """Nothing is left."""\n\n\n'
    'def reserve(product, count):\n    """Reserve stock of a product."""\n    raise OutOfStock(product)\n',
    "shop/cart.py": '"""The cart."""\n\nfrom shop.stock import reserve\n\n\n'
    'def checkout(cart):\n    """Reserve every product of the cart."""\n'
    "    for line in cart:\n        reserve(line.product, line.count)\n",
    "shop/page.py": "from shop.cart import checkout\n\n\ndef show(cart):\n    checkout(cart)\n",
    "shop/notes.py": "REMINDER = 'reserve a table, reserve a room'\n",
    "shop/secret.py": "from shop.stock import reserve\n\n\ndef hidden():\n    reserve('gold', 1)\n",
}


class Embedder:
    name = "hash"

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def status(self) -> EngineStatus:
        return EngineStatus(name="hash", model=self.name, state=EngineState.READY)

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "document"], priority: Priority
    ) -> list[list[float]]:
        return HashEmbedder(64).embed(texts, kind=kind)

    async def compare(self, query: str, texts: Sequence[str], *, priority: Priority) -> list[float] | None:
        return None


class Untaught:
    def base(self) -> Base:
        return Base(name="hash", base_sha256="", adapter_sha256="")

    async def learn(
        self, root: Path, exclude: Sequence[str], seconds: float
    ) -> AsyncGenerator[AdaptProgress | tuple[AdaptReport, bytes], None]:
        raise AssertionError
        yield


class Host(FakeHost):
    """A scripted model beside a real index."""

    def __init__(self, indexes: Indexes, *answers: str) -> None:
        super().__init__(*answers)
        self.indexes = indexes

    async def search(self, params: SearchParams) -> SearchReply:
        return await self.indexes.search(params)

    async def outline(self, params: OutlineParams) -> OutlineReply:
        return await self.indexes.outline(params)

    async def uses(self, params: UsesParams) -> UsesReply:
        return await self.indexes.uses(params)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / "repository" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "repository"


@pytest.fixture
async def indexes(tmp_path: Path, root: Path) -> AsyncIterator[Indexes]:
    shared = Embedder()

    async def same(_: Adaptation | None) -> tuple[Embedder, int]:
        return shared, 64

    indexes = Indexes(
        tmp_path / "index", same, Surroundings(exclusions=lambda _: ()), Adaptations(Untaught(), lambda _: ())
    )
    async for _ in indexes.update(IndexParams(path=str(root))):
        pass
    yield indexes
    await indexes.close()


async def sources(indexes: Indexes, root: Path, text: str) -> list[Source]:
    question = Question(text=text, root=root)
    found = await retrieve(Host(indexes), rules, question, read(question), budget=900)
    assert found.relevant
    return list(found.sources)


async def ask(indexes: Indexes, root: Path, text: str, *drafts: str) -> Answer:
    question = Question(text=text, root=root)
    return await ChatService(Host(indexes, *drafts), FixedRouter("local"), rules, Settings(), blob_of).ask(
        question, lambda _: None
    )


async def test_callers_are_those_of_the_graph_without_what_is_excluded(indexes: Indexes, root: Path) -> None:
    found = await sources(indexes, root, "What calls reserve?")
    assert [source.path for source in found[:2]] == ["shop/cart.py", "shop/stock.py"]
    assert found[0].holds(9) and found[1].holds(8)  # the call, the definition
    assert all(source.path != "shop/secret.py" for source in found)


async def test_a_definition_is_where_it_is_defined(indexes: Indexes, root: Path) -> None:
    first = (await sources(indexes, root, "Where is OutOfStock?"))[0]
    assert first.path == "shop/stock.py" and first.holds(4)


async def test_the_whole_is_told_by_the_readme_and_the_outlines(indexes: Indexes, root: Path) -> None:
    found = {source.path: source for source in await sources(indexes, root, "What does this project do?")}
    assert next(iter(found)) == "README.md" and found.keys() >= {"shop/stock.py", "shop/cart.py"}
    assert "shop/secret.py" not in found and (8, "def reserve(product, count):") in found["shop/stock.py"].lines


async def test_what_is_cited_stands_in_the_file(indexes: Indexes, root: Path) -> None:
    answer = await ask(
        indexes, root, "How does checkout reserve every product?", "It reserves every product of the cart [1]."
    )
    (cited,) = answer.citations
    data = (root / cited.path).read_bytes()
    assert cited.sha == hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    assert b"Reserve every product" in b"\n".join(data.split(b"\n")[cited.start_line - 1 : cited.end_line])


@pytest.mark.parametrize(
    "text", ["What calls reserve?", "How does checkout reserve every product?", "Where is checkout?"]
)
@pytest.mark.parametrize("gone", [True, False])
async def test_a_file_that_is_gone_or_another_by_now_is_not_cited(
    indexes: Indexes, root: Path, text: str, gone: bool
) -> None:
    file = root / "shop" / "cart.py"
    if gone:
        file.unlink()
    else:
        file.write_text("def other():\n    pass\n")
    answer = await ask(indexes, root, text, "Checkout reserves every product of the cart [1].")
    assert all(citation.path != "shop/cart.py" for citation in answer.citations)
    assert all((root / citation.path).is_file() for citation in answer.citations)


async def test_what_the_repository_does_not_answer_is_declined(indexes: Indexes, root: Path) -> None:
    host = Host(indexes, "never asked")
    question = Question(text="How are Docker images unpacked onto Kubernetes?", root=root)
    answer = await ChatService(host, FixedRouter("local"), rules, Settings(), blob_of).ask(question, lambda _: None)
    assert answer.abstained and not host.asked and "does not seem to answer" in answer.answer
