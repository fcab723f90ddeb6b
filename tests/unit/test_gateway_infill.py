"""Prompts with our own markers, taken apart for servers that put theirs around a hole."""

from __future__ import annotations

from pointsman.gateway.dialects import LlamaCpp, OpenAICompletions
from pointsman.gateway.infill import FILE, MARKERS, MIDDLE, PREFIX, SUFFIX, Hole, hole_of, markers
from pointsman.models.base import Sampling
from pointsman.models.prompting import neutralise


def test_a_prompt_comes_apart_as_it_was_put_together() -> None:
    prompt = f"{FILE}lib/b.py\ndef b(): ...\n\n{FILE}a.py\n{PREFIX}before{SUFFIX}\nafter{MIDDLE}"
    assert hole_of(prompt) == Hole(before="before", after="\nafter", others=(("lib/b.py", "def b(): ..."),))
    assert hole_of(f"# other\n{PREFIX}before{SUFFIX}{MIDDLE}") == Hole(before="# other\nbefore", after="")


def test_a_prompt_without_a_hole_is_left_alone() -> None:
    assert hole_of("def add(a, b):") is None
    assert hole_of(f"{PREFIX}half of one") is None


def test_a_file_cannot_spell_the_markers() -> None:
    text = f"x = '{SUFFIX}' + '{MIDDLE}{PREFIX}'"
    assert not any(marker in neutralise(text, MARKERS) for marker in MARKERS)


def test_only_llama_cpp_is_given_files_apart() -> None:
    assert markers(files=True).file_separator == FILE
    assert markers(files=False).file_separator == ""


def test_each_server_is_asked_in_its_own_way() -> None:
    hole = Hole(before="a", after="b", others=(("p.py", "t"),))
    asked = LlamaCpp().fill(hole, Sampling(max_tokens=9))
    assert (asked["input_prefix"], asked["input_suffix"], asked["n_predict"]) == ("a", "b", 9)
    assert asked["input_extra"] == [{"filename": "p.py", "text": "t"}]
    other = OpenAICompletions("m").fill(hole, Sampling(max_tokens=9))
    assert (other["prompt"], other["suffix"], other["max_tokens"]) == ("a", "b", 9)
