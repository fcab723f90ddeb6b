"""Questions out of code: what is asked, what is left when documentation is blanked, what history tells."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pointsman_indexer import pairs_of_names
from pointsman_indexer.commits import commits
from pointsman_indexer.doctext import clean, overlap, question, words_of
from pointsman_indexer.pairs import blank, documentation, documented, is_test
from pointsman_indexer.pairs_of_names import identifier_queries
from pointsman_indexer.pairs_of_remarks import comments, further, remarks
from pointsman_indexer.parse import parse
from tests.unit.indexer_repo import Repo

PYTHON = b'''"""Module."""

import functools


class Jar(dict):
    """A container of cookies that remembers the order. More words."""

    @functools.cache
    def policy(self, name: str) -> str:
        """Find the :class:`~http.Policy` that applies to a *domain*.

        Parameters
        ----------
        name : str
        """
        return self[name]

    def __len__(self):
        """Count the cookies that are stored here."""
        return 0


def only_doc():
    """Nothing else stands in this body."""


def commented():
    """A comment is no statement of its own."""
    # so there must be one


def one_line(): "Say all of it on one line"


def joined():
    """Share the line with what comes after."""; return 1


def get_cookie_header(): 
    """Get the cookie header."""
    return 1


def test_it():
    """Check that all of it works."""
'''

OTHERS = {
    "go": (
        b"package a\n\n// Sum adds up all of the numbers.\n// It is slow.\nfunc Sum(n []int) int {\n\treturn 0\n}\n\n"
        b"//go:noinline\nfunc quiet() {}\n",
        "Sum",
        "adds up all of the numbers",
    ),
    "rust": (
        b"/// Removes the `front` of [the queue](Queue), if any.\n///\n/// # Panics\n#[inline]\n"
        b"pub fn pop(&mut self) {\n    1;\n}\n// plain words are no documentation\nfn quiet() {}\n",
        "pop",
        "Removes the front of the queue, if any",
    ),
    "java": (
        b"class Cart {\n    /**\n     * Adds up the {@link Item} prices of the cart.\n     * @param rate a rate\n"
        b"     */\n    @Override\n    int total(int rate) { return 1; }\n\n"
        b"    /* no documentation at all here */\n    void quiet() {}\n}\n",
        "Cart.total",
        "Adds up the Item prices of the cart",
    ),
    "javascript": (
        b"/**\n * Waits until <b>all</b> timers have run.\n * @returns {Promise} when\n */\n"
        b"export async function settle() {\n  return 1\n}\n\n"
        b"// plain words are no documentation\nfunction quiet() {}\n",
        "settle",
        "Waits until all timers have run",
    ),
    "typescript": (
        b"export class Pool {\n  /** Hands a free worker to the caller. */\n  take(): number {\n    return 1\n  }\n}\n",
        "Pool.take",
        "Hands a free worker to the caller",
    ),
}


def test_python_docstrings_become_questions_without_markup_or_tables() -> None:
    found = {doc.symbol: doc for doc in documented("shop/jar.py", PYTHON, "python")}
    assert found["Jar"].query == "A container of cookies that remembers the order"
    assert found["Jar.policy"].query == "Find the Policy that applies to a domain"
    assert found["Jar.policy"].doc == "Find the Policy that applies to a domain."
    assert (found["Jar.policy"].kind, found["Jar.policy"].start_line, found["Jar.policy"].end_line) == ("method", 9, 17)
    assert set(found) == {"Jar", "Jar.policy", "only_doc", "commented", "one_line", "joined"}, (
        "dunder, test and a name said again ask nothing"
    )


def test_blanked_python_parses_and_keeps_its_lines() -> None:
    spans = [span for _, spans in documentation(PYTHON, "python") for span in spans]
    left = blank(PYTHON, spans)
    ast.parse(left)
    assert left.count(b"\n") == PYTHON.count(b"\n")
    assert b"cookies" not in left and b"applies" not in left and b"line" not in left.replace(b"one_line", b"")
    kept = {number: line for number, line in enumerate(left.splitlines(), 1) if line.strip()}
    assert all(line == PYTHON.splitlines()[number - 1] for number, line in kept.items() if b"pass" not in line)
    before, after = (parse(data, "python").symbols for data in (PYTHON, left))
    assert [(one.qualified, one.start_line) for one in before] == [(one.qualified, one.start_line) for one in after]


@pytest.mark.parametrize("language", OTHERS)
def test_doc_comments_of_other_languages(language: str) -> None:
    data, symbol, query = OTHERS[language]
    (doc,) = documented("a/b", data, language)
    assert (doc.symbol, doc.query) == (symbol, query)
    left = blank(data, doc.spans)
    assert left.count(b"\n") == data.count(b"\n")
    assert not documented("a/b", left, language)
    assert not parse(left, language).errors
    assert doc.signature.encode() in left


def test_line_ends_survive_blanking() -> None:
    data = b'def a():\r\n    """One thing\r\n    and two more words."""\r\n    return 1\r\n'
    (doc,) = documented("a.py", data, "python")
    assert blank(data, doc.spans) == b"def a():\r\n    \r\n\r\n    return 1\r\n"


def test_broken_and_foreign_bytes_give_nothing_or_something_but_never_raise() -> None:
    for data in (b"", b"\xff\xfe\x00def", b'def a(:\n  """', PYTHON[:333], b"((((" * 3000):
        for language in ("python", "rust", "json", "unknown"):
            spans = [span for _, spans in documentation(data, language) for span in spans]
            assert blank(data, spans).count(b"\n") == data.count(b"\n")


@pytest.mark.parametrize(
    ("doc", "name"),
    [
        ("Too short.", "a"),
        ("Deprecated: use something else instead.", "a"),
        ("Parse the cookie header value.", "parse_cookie_header"),
        ("Прочитать заголовок из этого файла.", "a"),
        ("x = [1, 2, 3] + {4: 5} == (6 * 7) a b c d", "a"),
        ("See the other function for this.", "a"),
    ],
)
def test_what_says_nothing_asks_nothing(doc: str, name: str) -> None:
    assert question(doc, name) == ""


def test_a_sentence_ends_where_it_ends() -> None:
    assert question("Read e.g. version 1.5 of a file. Then stop.", "load") == "Read e.g. version 1.5 of a file"
    assert question("Fast path. Avoids a copy of the data.", "f") == "Fast path. Avoids a copy of the data"
    assert question("load reads a file from disk.", "load") == "reads a file from disk"


def test_cleaning_stops_at_the_first_section() -> None:
    assert clean('"""Sum ``a`` and\nb.\n\nSecond part.\n\nArgs:\n    a: one\n"""') == "Sum a and b.\n\nSecond part."
    assert clean("/** Draws {@link Box a box}.\n * @param x one\n */") == "Draws Box a box."
    assert clean('r"""\n.. deprecated:: 1\n"""') == ""


def test_names_ask_when_they_say_enough() -> None:
    queries = {one.symbol: one.query for one in identifier_queries("a.py", PYTHON, "python")}
    assert queries == {"get_cookie_header": "get cookie header"}
    assert words_of("HTTPServer2Error") == ["http", "server", "2", "error"]
    member = b"class CookieJar:\n    def set_policy(self): pass\n"
    assert [one.query for one in identifier_queries("a.py", member, "python")] == ["set policy of cookie jar"]


REMARKED = b'''
# A comment of the module is nobody's.
class Queue:
    # Nor is one of a class.

    def drain(self):
        """Empty the queue. Jobs that are under way are waited for. Short."""
        # Workers that have not answered
        # for a while are given up.
        for worker in self.workers:  # at the end of a line it says too little
            worker.stop()
        # x = 3

        # noqa
        def inner():
            # The last one turns off the light.
            pass
'''
RUST = b"""/// Opens the door
/// for those who wait outside.
fn open(door: &Door) {
    // Hinges are oiled before the first use.
    door.turn(); /* not this one */
}
"""


def test_comments_ask_for_the_function_around_them() -> None:
    assert [(one.symbol, one.query) for one in remarks("a.py", REMARKED, "python")] == [
        ("Queue.drain", "Workers that have not answered for a while are given up"),
        ("Queue.drain.inner", "The last one turns off the light"),
    ]
    assert [(one.symbol, one.query) for one in remarks("a.rs", RUST, "rust")] == [
        ("open", "Hinges are oiled before the first use")
    ]
    assert remarks("tests/a.py", REMARKED, "python") == []


def test_documentation_asks_with_its_further_sentences() -> None:
    assert [(one.symbol, one.query) for one in further("a.py", REMARKED, "python")] == [
        ("Queue.drain", "Jobs that are under way are waited for")
    ]


def test_blanked_comments_leave_the_code() -> None:
    bare = blank(REMARKED, comments(REMARKED, "python"))
    assert b"light" not in bare and b"nobody" not in bare and b"too little" in bare
    assert len(bare.splitlines()) == len(REMARKED.splitlines())
    assert ast.dump(ast.parse(bare)) == ast.dump(ast.parse(REMARKED))


def test_overlap_counts_roots_of_words_that_matter() -> None:
    assert overlap("parses the cookies", "def parse_cookie(header): ...") == 1.0
    assert overlap("give back what was read before", "def parse_cookie(header): ...") == 0.0
    assert overlap("the of a", "anything") == 0.0


def test_tests_ask_for_what_they_call_when_one_definition_has_the_name() -> None:
    files = {
        "cart.py": (b"def total(items):\n    return 1\n\n\ndef twice():\n    return 2\n", "python"),
        "other.py": (b"def twice():\n    return 3\n", "python"),
        "tests/test_cart.py": (
            b"from cart import total, twice\n\n\n"
            b"def test_discount_applies_only_once():\n    assert total([]) == twice()\n\n\n"
            b'def test_b():\n    """An empty cart costs nothing at all."""\n    assert total([]) == 0\n\n\n'
            b"def test_nothing_known_is_called_here():\n    assert twice()\n",
            "python",
        ),
    }
    assert [(one.symbol, one.query, one.targets) for one in pairs_of_names.tests_of(files)] == [
        ("test_discount_applies_only_once", "discount applies only once", (("cart.py", "total"),)),
        ("test_b", "An empty cart costs nothing at all", (("cart.py", "total"),)),
    ]
    assert is_test("src/foo.test.ts") and is_test("pkg/a_test.go") and not is_test("latest/contest.py")


def test_commits_that_say_something_about_files_that_are_left(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo")

    def commit(message: str, *paths: str) -> None:
        for path in paths:
            repo.write(path, f"{message}\n")
        repo.git("add", "-A")
        repo.git("commit", "-q", "-m", message)

    commit("add everything that the project needs", *(f"f{n}.py" for n in range(9)))
    commit("fix(cart): round prices to whole cents (#12)\n\nHalf a cent was lost.\n\nSigned-off-by: A <a@b.c>", "f1.py")
    commit("Keep the old name of this file", "gone.py", "Größe und.py")
    commit("Bump version to 2.0 of it", "f2.py")
    commit("fix typo", "f2.py")
    (repo.root / "gone.py").unlink()
    commit("Drop what nobody has asked for")
    assert [(task.query, task.paths) for task in commits(repo.root, 10)] == [
        ("Keep the old name of this file", ("Größe und.py",)),
        ("round prices to whole cents. Half a cent was lost.", ("f1.py",)),
    ]
    assert len(commits(repo.root, 1)) == 1
    assert commits(tmp_path, 10) == []
