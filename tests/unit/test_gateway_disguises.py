"""Recall on made-up credentials, plain and disguised; what is masked still parses and comes back exactly."""

from __future__ import annotations

import ast
import random

import pytest

from pointsman.gateway import views
from pointsman.gateway.finder import Finder, Kingfisher
from pointsman.gateway.redact import Redactor, nonce
from tests.credentials_in_code import CREDENTIALS_IN_CODE, ORDINARY_CODE
from tests.secret_samples import SHAPED, disguises, fill, samples


@pytest.fixture(scope="module")
def finder(kingfisher: Kingfisher) -> Finder:
    return Finder(kingfisher, secrets=True, personal=False)


def redactor(finder: Finder) -> Redactor:
    return Redactor(finder, nonce(b"machine secret", b"content"))


def test_at_least_nineteen_of_twenty_made_up_credentials_are_found(finder: Finder) -> None:
    made = list(samples(seed=11, each=1))
    missed = [s.kind for s in made if s.secret in redactor(finder).redact([s.text])[0]]
    assert len(missed) <= 0.05 * len(made), missed


@pytest.mark.parametrize("name", disguises("x" * 40))
def test_a_disguise_hides_nothing_and_stays_code(finder: Finder, name: str) -> None:
    dice, missed = random.Random(5), []
    for template in SHAPED:
        text = disguises(fill(template, dice))[name]
        ours = redactor(finder)
        (clean,) = ours.redact([text])
        missed += [template] * (clean == text)
        ast.parse(clean)
        assert ours.restore(clean) == text
    assert len(missed) <= 0.05 * len(SHAPED), missed


def test_the_syntax_between_joined_literals_stays() -> None:
    view = views.folded("""f"ab" + 'cd'\u200b 'e\\x66'""")
    assert view is not None
    assert view.text == "f\"abcdef'" or view.text.startswith('f"abcd')
    at = view.text.index("abcd")
    assert view.origin(at, at + 4) == [(2, 4), (9, 11)]


def test_a_run_over_lines_needs_no_quotes(finder: Finder) -> None:
    secret = fill("ghp_{an36}", random.Random(3))
    (clean,) = redactor(finder).redact([f"see {secret[:20]}\n    {secret[20:]}\n# next line"])
    assert secret[:20] not in clean and secret[20:] not in clean and clean.endswith(" line")


def test_ordinary_credentials_in_code_are_found_and_ordinary_code_is_left_alone(finder: Finder) -> None:
    around = "import x\n\n{}\n\ny = 1\n"
    missed = [
        text
        for text, secret in CREDENTIALS_IN_CODE
        if secret in redactor(finder).redact([around.format(text) if "{" not in text else text])[0]
    ]
    assert len(missed) <= 0.06 * len(CREDENTIALS_IN_CODE), missed
    assert [text for text in ORDINARY_CODE if redactor(finder).redact([text]) != [text]] == []


def test_the_quick_views_are_exact_in_texts_of_many_bytes() -> None:
    view = views.folded("é€𝕏 'a\\x41' 'b'\u200bc %C3%A9!")
    assert view is not None and view.text == "é€𝕏 'aAbc é!".replace("bc", "b'c")
    at = view.text.index("A")
    assert view.origin(at, at + 1) == [(6, 10)]
    run = views.run_on("ü1\n   # ü2")
    assert run is not None and run.text == "ü1ü2" and run.origin(0, 4) == [(0, 2), (8, 10)]
