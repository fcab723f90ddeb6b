"""Wire messages of the model children: what goes in comes out, and what does not fit is refused unquoted."""

from __future__ import annotations

import json
from array import array

import pytest

from pointsman.errors import EngineError
from pointsman.models.base import Sampling
from pointsman.worker import messages as m

TO_CHILD = [
    m.Load(
        device="auto",
        cache_dir="/c",
        generator=m.GeneratorSpec(name="a", folder="/f", stop_tokens=("<end>",)),
        embedder=m.EmbedderSpec(name="b", folder="/g", query_prefix="query: "),
    ),
    m.Load(device="cpu", cache_dir="/c"),
    m.Serve(model="/m", name="a", socket="/s", key="k", context=4096, slots=2),
    m.Generate(id=1, prompt="naïve 😀\n\x00", sampling=Sampling(stop=("\n\n", "é"), seed=3, top_p=0.5), priority=0),
    m.Embed(id=2, texts=("a", ""), query=True, priority=2),
    m.Compare(id=4, query="where?", texts=("a", ""), priority=1),
    m.Cancel(id=3),
    m.Ping(),
]
TO_PARENT = [
    m.Progress(stage="x"),
    m.Ready(device="cuda", device_bytes=5),
    m.PieceMade(id=1, text="\u2028", logprob=-0.5, tokens=2),
    m.Finished(
        id=1, reason="stop", prompt_tokens=3, reused_tokens=2, tokens=1, queue_ms=0.5, prefill_ms=1.5, decode_ms=2.5
    ),
    m.Vectors(id=1, count=1, dimension=2, data=m.pack(array("f", [1.0, 0.0]))),
    m.Scores(id=4, scores=(0.5, -1.0)),
    m.Failed(id=0, code="oom", message="out"),
    m.Pong(),
]


@pytest.mark.parametrize("message", TO_CHILD, ids=lambda x: type(x).__name__)
def test_what_goes_to_the_child_arrives_whole(message: m.ToChild) -> None:
    line = m.encode(message)
    assert line.count(b"\n") == 1
    assert m.decode_to_child(line) == message


@pytest.mark.parametrize("message", TO_PARENT, ids=lambda x: type(x).__name__)
def test_what_goes_to_the_parent_arrives_whole(message: m.ToParent) -> None:
    line = m.encode(message)
    assert line.count(b"\n") == 1
    assert m.decode_to_parent(line) == message


def test_a_lone_surrogate_from_an_editor_survives() -> None:
    sent = m.Generate(id=1, prompt="\ud83d", sampling=Sampling(), priority=0)
    assert m.decode_to_child(m.encode(sent)) == sent


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json CANARY\n",
        b"[]\n",
        b'{"type":"CANARY"}\n',
        b'{"type":"Cancel"}\n',
        b'{"type":"Cancel","id":1,"CANARY":2}\n',
        b'{"type":"Generate","id":1,"prompt":"CANARY","sampling":7,"priority":0}\n',
        b"[" * 100_000,
        b"\xff\xfe\n",
    ],
)
def test_a_malformed_line_is_refused_and_never_quoted(line: bytes) -> None:
    with pytest.raises(EngineError) as caught:
        m.decode_to_child(line)
    assert "CANARY" not in str(caught.value)


def test_each_direction_takes_its_own_messages_only() -> None:
    with pytest.raises(EngineError):
        m.decode_to_child(m.encode(m.Pong()))
    with pytest.raises(EngineError):
        m.decode_to_parent(m.encode(m.Ping()))


def test_a_request_that_is_too_long_is_refused_before_it_is_sent() -> None:
    with pytest.raises(EngineError, match="too long"):
        m.encode(m.Generate(id=1, prompt="x" * m.MAX_LINE, sampling=Sampling(), priority=0))


def test_a_full_embed_of_wide_vectors_fits_a_line() -> None:
    wide = m.Vectors(
        id=1, count=m.TEXTS_PER_EMBED, dimension=8192, data=m.pack(array("f", [0.0]) * (m.TEXTS_PER_EMBED * 8192))
    )
    assert len(m.encode(wide)) < m.MAX_LINE


def test_vectors_unpack_by_row_and_a_wrong_shape_is_refused() -> None:
    data = m.pack(array("f", [1, 2, 3, 4, 5, 6]))
    assert m.unpack(m.Vectors(id=1, count=2, dimension=3, data=data)) == [[1, 2, 3], [4, 5, 6]]
    for count, dimension, text in ((2, 2, data), (1, 1, "%%%"), (1, 1, "AAA=")):
        with pytest.raises(EngineError):
            m.unpack(m.Vectors(id=1, count=count, dimension=dimension, data=text))


def test_lines_are_plain_json_objects() -> None:
    assert json.loads(m.encode(m.Cancel(id=3))) == {"type": "Cancel", "id": 3}
