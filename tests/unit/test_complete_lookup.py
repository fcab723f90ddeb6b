"""What a repository would write next, from made-up texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.complete import corpus as module
from pointsman.complete.corpus import Corpus
from pointsman.complete.cursor import cursor_of
from pointsman.complete.lexemes import Lexed, lexemes
from pointsman.complete.lookup import Found, Source, look_up
from pointsman.complete.types import CompletionQuery
from tests.pipelines import marked, rules, snapshot


def found(text: str, *others: str, several: bool = False) -> Found | None:
    plain, at = marked(text)
    sources = [Source(Lexed(plain[:at])), Source(Lexed(plain[at:])), *(Source(Lexed(one)) for one in others)]
    return look_up(plain[:at], plain[at:], sources, several=several)


def text_of(*texts: str, several: bool = False) -> str:
    made = found(*texts, several=several)
    return made.text if made else ""


def test_lexemes_are_the_text_without_blank_lines() -> None:
    text = "def f(a_1):\n    return 'é' + 12\n"
    assert "".join(lexemes(text)) == text
    assert lexemes("a\n\n  b") == ["a", "\n  ", "b"] and lexemes("") == []


def test_a_line_goes_on_as_it_did_elsewhere() -> None:
    assert text_of("x = self._store.‸\n", "y = self._store.get(key, None)\n") == "get(key, None)"
    assert text_of("x = something.‸\n", "y = other(1)\n") == ""


def test_a_word_that_was_begun_is_finished() -> None:
    assert text_of("x = self._sto‸\n", "y = self._store.get(key)\nz = self._state\n") == "re.get(key)"
    assert text_of("Unkn‸\n", "raise UnknownThing(1)\n") == "ownThing"


def test_the_lines_below_decide_between_two() -> None:
    elsewhere = "    total = 0\n    first()\n    again()\n\n    total = 0\n    second()\n    other()\n"
    assert text_of("    total = 0\n    ‸\n    other()\n", elsewhere) == "second()"
    assert text_of("    total = 0\n    ‸\n    again()\n", elsewhere) == "first()"


def test_a_line_that_is_over_gets_nothing() -> None:
    assert text_of("    return None‸\n", "    return None\n    x\n    return None\n") == ""


def test_several_lines_only_while_all_agree() -> None:
    block = "    with lock:\n        count += 1\n        flush()\n"
    assert text_of("    with lock:‸", block, several=True) == "\n        count += 1\n        flush()"
    split = block + "    with lock:\n        count += 1\n        drop()\n"
    assert text_of("    with lock:‸", split, several=True) == "\n        count += 1"
    assert text_of("    with ‸\n", block) == "lock:"


def test_longer_matches_weigh_more_and_sureness_follows_the_votes() -> None:
    sure = found("self.a.b.‸\n", "self.a.b.close()\n")
    unsure = found("self.a.b.‸\n", "self.a.b.close()\nself.a.b.open()\n")
    assert sure and unsure and sure.weakest > unsure.weakest and sure.match == 6
    assert text_of("self.a.b.‸\n", "self.a.b.close()\n" + "x.b.open()\n" * 3) == "close()"


ELSEWHERE = """def report(rows):
    if rows:
        for row in rows:
            total = total + row.price
            count = count + 1
        return total
    return None
"""


def test_further_lines_are_as_deep_from_here_as_they_were_there() -> None:
    deep = "def g(rows):\n    for row in rows:\n        ‸"
    lines = "total = total + row.price\n        count = count + 1\n    return total"
    assert text_of(deep, ELSEWHERE, several=True).startswith(lines)
    tabs = text_of("def g(rows):\n\tfor row in rows:\n\t\t‸", ELSEWHERE, several=True)
    assert tabs.startswith(lines.replace("    ", "\t"))


CART = """class Cart:
    def add(self, item, count=1):
        if count < 1:
            raise ValueError(count)
        self.items.append((item, count))

    def total(self, prices):
        return sum(prices[item] for item in self.items)


def checkout(orders, cart):
    for item in orders:
        cart.add(item)
    return cart.total(orders)


"""


def test_what_follows_deeper_in_a_block_is_not_offered_behind_its_end() -> None:
    assert text_of(CART + "‸", several=True) == ""
    assert text_of("def pay(cart, orders):\n    return cart.total(orders)\n\n\n‸", CART, several=True) == ""
    assert text_of("    while True:\n        if count < 1:\n            ‸", CART) == "raise ValueError(count)"
    assert text_of("    while True:\n        if count < 1:\n        ‸", CART) == "", "that line stands deeper"


def test_marks_alone_are_no_match_where_a_line_begins_unless_the_lines_below_agree() -> None:
    elsewhere = "first(1)\nsecond(2)\nthird = 3\n"
    assert text_of("other()\n‸\n", elsewhere) == ""
    assert text_of("other()\n‸\nthird = 3\n", elsewhere) == "second(2)"
    assert text_of("x = f(‸\n", "y = f(key)\n") == "key)", "within a line they are"


def test_what_was_found_ends_where_it_would_stand_left_of_the_edge() -> None:
    elsewhere = "    with lock:\n        count += 1\nclose()\n"
    assert text_of("with lock:‸", elsewhere, several=True) == "\n    count += 1"


@pytest.fixture
def query(tmp_path: Path) -> CompletionQuery:
    plain, at = marked("import near\nx = ‸\n")
    return CompletionQuery(snapshot=snapshot(plain, root=tmp_path, name="a.py"), offset=at)


def texts(corpus: Corpus, query: CompletionQuery, *paths: str) -> str:
    return "\n".join("".join(one.text.lexemes) for one in corpus.sources(query, cursor_of(query), paths))


def test_a_corpus_reads_what_is_near_and_found_and_not_excluded(tmp_path: Path, query: CompletionQuery) -> None:
    (tmp_path / "near.py").write_text("NEAR = 1\n")
    (tmp_path / "near.txt").write_text("TEXT = 1\n")
    (tmp_path / "secret.py").write_text("CANARY = 1\n")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "b.py").write_text("FAR = 1\n")
    (tmp_path / "far" / "secret.py").write_text("CANARY = 1\n")
    (tmp_path / "bad.py").write_bytes(b"\xff\xfe")
    corpus = Corpus(rules)
    read = texts(corpus, query, "far/b.py", "far/secret.py", "gone.py")
    assert "NEAR" in read and "FAR" in read and "CANARY" not in read and "TEXT" not in read


def test_open_documents_of_the_same_language_are_looked_up_until_they_are_closed(
    tmp_path: Path, query: CompletionQuery
) -> None:
    corpus = Corpus(rules)
    other = CompletionQuery(snapshot=snapshot("OTHER = 1\n", root=tmp_path, name="o.py"), offset=0)
    corpus.noted(other)
    assert "OTHER" in texts(corpus, query)
    corpus.forget(other.snapshot.uri)
    assert "OTHER" not in texts(corpus, query)


def test_an_open_document_that_is_excluded_now_is_not_looked_up(tmp_path: Path, query: CompletionQuery) -> None:
    corpus = Corpus(rules)
    corpus.noted(CompletionQuery(snapshot=snapshot("OTHER = 1\n", root=tmp_path, name="secret.py"), offset=0))
    assert "OTHER" not in texts(corpus, query)


def test_texts_are_kept_within_bounds(tmp_path: Path, query: CompletionQuery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CHARACTERS", 2_000)
    for number in range(9):
        (tmp_path / f"n{number}.py").write_text(f"N{number} = 1\n" * 90)
    corpus = Corpus(rules)
    texts(corpus, query)
    assert sum(one.characters for one in corpus._texts.values()) <= 2_000
