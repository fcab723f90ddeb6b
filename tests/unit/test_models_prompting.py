"""How many tokens a text has, without a tokenizer."""

from __future__ import annotations

import pytest

from pointsman.models.prompting import CHARS_PER_TOKEN, chars_per_token, estimate_tokens


@pytest.mark.parametrize("length", [0, 1, 31, 32, 3200])
def test_ascii_is_counted_by_its_length(length: int) -> None:
    assert estimate_tokens("x" * length) == int(length / CHARS_PER_TOKEN) + 1


@pytest.mark.parametrize(
    ("text", "tokens"),  # as SmolLM2's tokenizer has them
    [
        ("这个函数读取配置文件并返回一个字典。如果文件不存在,则抛出异常。", 41),
        ("ეს ფუნქცია კითხულობს კონფიგურაციის ფაილს და აბრუნებს ლექსიკონს.", 118),
        ("Эта функция читает файл конфигурации и возвращает словарь.", 48),
    ],
)
def test_other_scripts_have_more_tokens_than_their_length_says(text: str, tokens: int) -> None:
    assert 0.9 * tokens < estimate_tokens(text) < 2 * tokens


def test_only_what_is_not_ascii_counts_more() -> None:
    plain = "def length(text): return len(text)\n" * 20
    assert estimate_tokens(plain + "é") <= estimate_tokens(plain) + 2
    assert 1 < chars_per_token("这" + plain) < CHARS_PER_TOKEN


def test_half_a_surrogate_pair_is_counted_too() -> None:
    assert estimate_tokens("\ud83d") == 3
