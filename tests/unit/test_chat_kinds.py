"""Kinds of questions, where each looks for its sources, and whether those are about the question."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.chat.kinds import Reading, read
from pointsman.chat.recall import recalled
from pointsman.chat.relevance import called_by_name, judge, stands_in, subjects
from pointsman.chat.retrieve import Found, retrieve
from pointsman.chat.sources import Source, joined, passage, within_budget
from pointsman.chat.types import Question, Turn
from pointsman.chat.words import content_words
from pointsman.host.api import UsesReply
from pointsman.models.prompting import estimate_tokens
from tests.pipelines import FakeHost, hit, place, rules, snapshot

ROOT = Path("/repo")
BEFORE = (Turn(role="user", text="How is a discount applied?"), Turn(role="assistant", text="By percent [1]."))


def kind(text: str, history: tuple[Turn, ...] = (), root: Path = ROOT) -> Reading:
    return read(Question(text=text, root=root, history=history))


@pytest.mark.parametrize(
    "text",
    [
        "What does this project do?",
        "Give me an overview of the repository.",
        "what modules are there?",
        "How is the codebase structured?",
        "What is the architecture of this library?",
        "what does the repo package contain?",  # the root's own name says nothing
    ],
)
def test_questions_about_the_whole_want_the_map(text: str) -> None:
    assert kind(text).kind == "map"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("What calls apply_discount?", "apply_discount"),
        ("who uses `Cart.add`?", "Cart.add"),
        ("Which functions call Cart.add()?", "Cart.add"),
        ("where is the function take used?", "take"),
        ("Where does OutOfStock get raised or used?", ""),
        ("callers of `take`", "take"),
        ("What needs shop::Cart?", "shop::Cart"),
        ("Who is calling load_all?", "load_all"),
        ("What happens when the user needs help?", ""),
        ("Who knows how to use help?", ""),
    ],
)
def test_questions_for_callers_name_a_symbol(text: str, name: str) -> None:
    assert kind(text) == (Reading(kind="callers", name=name, only=True) if name else Reading(kind="code"))


@pytest.mark.parametrize(
    "text",
    [
        "What functions call load_all and why?",
        "What calls `load_all` in the server?",
        "What calls load_all when a cart is empty?",
        "Which of the tests call load_all?",
        "Who uses load_all and what does it return?",
    ],
)
def test_more_than_places_is_not_for_the_graph_alone(text: str) -> None:
    assert kind(text).kind in ("callers", "code") and not kind(text).only


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("where is Cart.add?", "Cart.add"),
        ("Where is the class OutOfStock defined?", "OutOfStock"),
        ("where is the take function?", "take"),
        ("Show the implementation of `take`", "take"),
    ],
)
def test_questions_for_a_definition_name_a_symbol(text: str, name: str) -> None:
    assert kind(text) == Reading(kind="definition", name=name, only=True)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("What does Cart.add do?", "Cart.add"),
        ("explain `take`", "take"),
        ("Describe the function take()", "take"),
        ("What is OutOfStock for?", "OutOfStock"),
        ("what's the purpose of load_all", "load_all"),
        ("What does take do, and how? (shop/stock.py)", "take"),
        ("What does the cart do with a discount?", ""),
        ("What is the largest total that a cart may have?", ""),
        ("Explain how the cart works", ""),
        ("What does it do?", ""),
    ],
)
def test_questions_for_what_a_symbol_does_name_it(text: str, name: str) -> None:
    assert kind(text) == (Reading(kind="meaning", name=name) if name else Reading(kind="code"))


@pytest.mark.parametrize(
    "text",
    [
        "How does the cart apply a discount?",
        "Where is a discount applied to the total?",
        "What happens when the program runs out of stock?",
        "Which files does the cart read?",
        "What does this function do?",
    ],
)
def test_other_questions_are_about_the_code(text: str) -> None:
    assert kind(text) == Reading(kind="code")


def test_what_is_pasted_is_read_in_no_time() -> None:
    """By the power of the runs of spaces in it, this took minutes."""
    assert kind(f"what calls foo in{' ' * 20_000}.").kind == "code"
    assert kind(f"explain foo {'!' * 30_000}x").kind == "code"
    assert kind(f"where is foo defined{chr(10) * 20_000}def foo():").kind == "code"


def test_a_selection_is_asked_about_and_not_the_whole() -> None:
    question = Question(text="What does this module do?", root=ROOT, selection=snapshot("a = 1"), start=0, end=5)
    assert read(question).kind == "code"


@pytest.mark.parametrize("text", ["And why?", "what about percent?", "How does it round?", "Where are those kept?"])
def test_a_question_that_leans_on_the_one_before_needs_one(text: str) -> None:
    assert kind(text, BEFORE).kind == "follow-up" and kind(text).kind == "code"


@pytest.mark.parametrize("text", ["What did I just ask?", "Summarise our conversation.", "Repeat your last answer"])
def test_a_question_about_the_conversation_needs_one(text: str) -> None:
    assert kind(text, BEFORE).kind == "conversation" and kind(text).kind != "conversation"


@pytest.mark.parametrize(
    ("text", "greets"),
    [
        ("hi", True),
        ("Thank you!", True),
        ("ok, thanks a lot", True),
        ("", False),
        ("hi, what calls load_all?", False),
        ("okapi", False),
    ],
)
def test_a_greeting_asks_nothing(text: str, greets: bool) -> None:
    assert (kind(text, BEFORE).kind == "greeting") is greets


@pytest.mark.parametrize(
    "text",
    [
        "How does the consumer acknowledge the last message?",
        "How is the first question of the quiz chosen?",
        "How does the tracker store the last answer?",
    ],
)
def test_messages_of_a_program_are_no_conversation(text: str) -> None:
    assert kind(text, BEFORE).kind == "code"


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("Where is Cart used?", Reading(kind="callers", name="Cart", leans=True, only=True)),
        ("Where is Cart?", Reading(kind="definition", name="Cart", leans=True, only=True)),
        ("What is this project?", Reading(kind="map")),
    ],
)
def test_what_a_question_names_itself_goes_before_the_conversation(text: str, read_as: Reading) -> None:
    assert kind(text, BEFORE) == read_as


def test_it_is_the_symbol_that_was_asked_about_before() -> None:
    before = (Turn(role="user", text="Where is Cart.add defined?"), Turn(role="assistant", text="There [1]."))
    assert kind("What calls it?", before) == Reading(kind="callers", name="Cart.add", leans=True, only=True)
    assert kind("What calls this function?", before).name == "Cart.add"
    assert kind("And where is it defined?", BEFORE).kind == "follow-up"
    assert kind("What calls it?").kind == "code"


@pytest.mark.parametrize("picked", ["def total(self):\n        return 1", "return 1"])
async def test_it_is_the_symbol_that_is_selected(picked: str) -> None:
    text = "import os\n\n\nclass Cart:\n    def total(self):\n        return 1\n"
    start = text.index(picked)
    host = FakeHost(hits=[CART])
    use = place("shop/cart.py", 11, "Cart.total", "call", "resolved")
    host.places["Cart.total"] = UsesReply(root="/repo", definitions=(place("shop/cart.py", 10, "total"),), uses=(use,))
    end = start + len(picked)
    told = await found(host, "What calls this function?", selection=snapshot(text), start=start, end=end)
    assert host.searched[0].query == "Cart.total"
    assert places(told)[1:] == [("shop/cart.py", 10)]


def test_what_was_said_is_said_again_without_its_numbers() -> None:
    assert recalled(BEFORE) == "You asked: How is a discount applied?\n\nThe answer was: By percent."
    assert len(recalled([Turn(role="user", text="x" * 999)] * 50)) < 6 * 350


CART = hit("shop/cart.py", "def total(self):\n    return take(self.count)", start=10, symbol="Cart.total")
STOCK = hit("shop/stock.py", "def take(count):\n    raise OutOfStock(count)", start=1, symbol="take")
OTHER = hit("shop/page.py", "def show():\n    print('take it')", symbol="show")


async def found(host: FakeHost, text: str, **more: object) -> Found:
    question = Question(text=text, root=ROOT, **more)  # type: ignore[arg-type]
    return await retrieve(host, rules, question, read(question), budget=600)


def places(found: Found) -> list[tuple[str, int]]:
    return [(source.path, source.start_line) for source in found.sources]


async def test_callers_come_by_the_graph_before_what_only_says_the_name() -> None:
    host = FakeHost(hits=[OTHER, STOCK, CART])
    host.places["take"] = UsesReply(
        root="/repo",
        definitions=(place("shop/stock.py", 1, "take"),),
        uses=(place("shop/cart.py", 1, "", "import"), place("shop/cart.py", 11, "Cart.total", "call", "resolved")),
    )
    told = await found(host, "What calls take?")
    assert places(told) == [("shop/cart.py", 10), ("shop/stock.py", 1), ("shop/page.py", 1)] and told.relevant
    assert [(asked.query, asked.closely) for asked in host.searched] == [
        ("take", "never"),
        ("What calls take?", "never"),
    ]


async def test_a_caller_of_a_common_name_is_looked_up_by_its_place() -> None:
    host = FakeHost(hits=[STOCK])
    host.places["take"] = UsesReply(
        root="/repo",
        definitions=(place("shop/stock.py", 1, "take"),),
        uses=(place("shop/cart.py", 11, "Cart.total", "call", "resolved"),),
    )
    host.hits_of["shop/cart.py Cart.total take"] = (CART,)
    assert places(await found(host, "What calls take?"))[0] == ("shop/cart.py", 10)


async def test_a_language_without_a_graph_is_searched_for_uses() -> None:
    host = FakeHost(hits=[CART, STOCK])
    told = (place("shop/stock.py", 1, "take"),)
    host.places["take"] = UsesReply(root="/repo", definitions=told, uses=(), note="uses are not known for cpp")
    assert places(await found(host, "What calls take?"))[0] == ("shop/cart.py", 10)


async def test_a_definition_comes_first() -> None:
    host = FakeHost(hits=[OTHER, CART, STOCK])
    host.places["take"] = UsesReply(root="/repo", definitions=(place("shop/stock.py", 1, "take"),), uses=())
    assert places(await found(host, "Where is take defined?"))[0] == ("shop/stock.py", 1)


async def test_a_name_that_nothing_has_is_searched_as_any_words() -> None:
    host = FakeHost(hits=[STOCK])
    told = await found(host, "where is stock?")
    assert places(told) == [("shop/stock.py", 1)] and [asked.query for asked in host.searched] == ["where is stock?"]


async def test_the_map_is_the_readme_and_outlines_of_what_is_leaned_on() -> None:
    host = FakeHost()
    host.map = "shop/cart.py:\n9: class Cart\n30:   def pay(self)  [Cart]\nsecret.py:\n1: KEY\n"
    host.hits_of = {
        "README.md": (hit("docs/README.md", "no"), hit("README.md", "# Shop\nSells things.")),
        "shop/cart.py": (CART, hit("shop/cart.py", '"""The cart."""\nimport stock'), STOCK),
        "secret.py": (hit("secret.py", "KEY = 1"),),
    }
    told = await found(host, "What does this project do?")
    assert [source.path for source in told.sources] == ["README.md", "shop/cart.py"] and told.relevant
    assert [number for number, _ in told.sources[1].lines] == [1, 2, 9, 30]
    assert told.sources[1].text.endswith("…\nclass Cart\n…\n  def pay(self)  [Cart]")


async def test_a_follow_up_searches_for_what_the_user_asked_before() -> None:
    host = FakeHost(hits=[CART])
    await found(host, "And why?", history=BEFORE)
    assert host.searched[0].query == "How is a discount applied?\nAnd why?"
    assert host.searched[0].closely == "always"


async def test_excluded_and_stale_hits_are_no_sources_of_any_kind() -> None:
    stale = hit("shop/stock.py", "def take(count): ...", symbol="take", fresh=False)
    host = FakeHost(hits=[stale, hit("secret.py", "take(KEY)")])
    host.places["take"] = UsesReply(
        root="/repo", definitions=(place("shop/stock.py", 1, "take"),), uses=(place("secret.py", 1, "", "call"),)
    )
    assert not (await found(host, "What calls take?")).sources


@pytest.mark.parametrize(
    ("likeness", "text", "standing", "sources"),
    [
        (0.6, "How do we take stock?", "about", 1),
        (0.6, "How do butterflies take stock?", "about", 1),
        (0.6, "How do green butterflies take stock out?", "doubtful", 1),
        (0.4, "How is stock taken by butterflies?", "near", 1),
        (0.6, "How is stock taken by butterflies with telescopes?", "near", 1),
        (0.6, "How is taken stock given away?", "about", 1),
        (0.4, "How do we take stock?", "doubtful", 1),
        (0.34, "How do we take stock?", "near", 1),
        (0.1, "How do we take stock?", "foreign", 0),
        (None, "How do we take stock?", "about", 1),
        (None, "How is stock painted green?", "near", 1),
        (0.6, "How is stock taken from Kafka?", "near", 1),
    ],
)
async def test_how_near_the_sources_are_decides(likeness: float | None, text: str, standing: str, sources: int) -> None:
    host = FakeHost(hits=[STOCK])
    host.likeness = likeness
    told = await found(host, text)
    assert (told.standing, len(told.sources)) == (standing, sources)
    assert told.relevant == (standing in ("about", "doubtful"))
    assert told.unknown in ("", "Kafka", "butterflies")
    assert bool(told.unknown) == (likeness is not None and likeness >= 0.4 and standing == "near")


async def test_a_word_is_looked_for_beyond_the_sources_in_any_form() -> None:
    host = FakeHost(hits=[STOCK])
    host.likeness = 0.6
    host.hits_of["butterflies butterfl"] = (hit("net.py", "def catch(butterflied): ..."),)
    assert (await found(host, "How is stock taken by butterflies?")).standing == "about"


async def test_a_name_is_looked_for_beyond_the_sources() -> None:
    host = FakeHost(hits=[STOCK])
    host.likeness = 0.6
    host.hits_of["Kafka"] = (hit("queue.py", "import kafka"),)
    assert (await found(host, "How is stock taken from Kafka?")).relevant
    assert (await found(host, "How is stock taken from RabbitMQ?")).unknown == "RabbitMQ"


def test_names_are_told_from_words() -> None:
    assert called_by_name("Where is S3 written, by Redis or `load all`?") == ["S3", "load all", "Redis"]
    assert called_by_name("How are UUIDs read? And who calls apply_discount()?") == ["UUIDs", "apply_discount"]
    assert called_by_name("Where does it wait 300 seconds?") == []
    assert called_by_name("How does a limit such as 512m or 1w6d become a number?") == []
    assert called_by_name("Is docker-compose.yml read, e.g. for Accept-Language?") == [
        "docker-compose.yml",
        "Accept-Language",
    ]
    assert called_by_name("Wo wird im Warenkorb der Rabatt auf die Summe gerechnet?") == []
    assert called_by_name("How is it run in Python on Windows?") == []
    source = passage(path="a.py", start_line=1, symbol="", sha="s", text="from redis import uuid")
    assert stands_in("Redis", [source]) and stands_in("UUIDs", [source]) and not stands_in("Kafka", [source])
    header = passage(path="a.py", start_line=1, symbol="", sha="s", text="def accept_language(self): return 1")
    assert stands_in("Accept-Language", [header]) and not stands_in("Accept-Encoding", [header])


def test_a_question_is_about_its_subjects_and_not_about_what_any_question_says() -> None:
    asked = "Where isn't a tiny file of 4096 bytes picked because another one doesn't fit behind the sunset?"
    assert list(subjects(asked).values()) == ["bytes", "sunset"]


def test_no_sources_are_about_nothing() -> None:
    assert judge(frozenset({"x"}), [], 0.9) == "foreign"


def part(first: int, last: int, symbol: str = "f", path: str = "a.py") -> Source:
    text = "\n".join(f"line {n}" for n in range(first, last + 1))
    return passage(path=path, start_line=first, symbol=symbol, sha="s", text=text)


def test_neighbours_are_one_source_in_the_better_place() -> None:
    merged = joined([part(40, 50), part(1, 9, path="b.py"), part(52, 60, "g"), part(80, 90)])
    assert [(one.path, one.start_line, one.end_line, one.symbol) for one in merged] == [
        ("a.py", 40, 60, "f"),
        ("b.py", 1, 9, "f"),
        ("a.py", 80, 90, "f"),
    ]
    assert "line 50\n…\nline 52" in merged[0].text and merged[0].lines[11] == (52, "line 52")
    assert [merged[0].symbol_of(*lines) for lines in ((41, 43), (52, 52), (49, 53))] == ["f", "g", ""]
    assert len(joined([part(1, 70), part(71, 90)])) == 2  # together they would crowd out the others


def test_a_long_passage_keeps_its_head_and_the_lines_that_are_asked_for() -> None:
    lines = [f"    value_{n} = {n}" for n in range(200)]
    lines[0], lines[150] = "def settle(cart):", "    discount = percent_of(total)"
    source = passage(path="a.py", start_line=11, symbol="settle", sha="s", text="\n".join(lines))
    (cut,) = within_budget([source], 120, content_words("How is the discount computed?"))
    assert cut.lines[0] == (11, "def settle(cart):") and (161, lines[150]) in cut.lines
    assert estimate_tokens(cut.text) <= 120 and "\n…\n" in cut.text
    assert all(lines[number - 11] == text for number, text in cut.lines)
    assert (cut.start_line, cut.end_line) == (11, 210)  # what is cited is the passage
