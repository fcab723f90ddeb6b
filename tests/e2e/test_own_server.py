"""Every pipeline on a team's own server: a real llama.cpp server in its own process, over loopback HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gguf
import pytest
from gguf.scripts.gguf_new_metadata import MetadataDetails, copy_with_new_metadata

from tests.lspwire import Wire

from .conftest import Home

pytestmark = pytest.mark.model

_PLACE = "shop/cart.py:42:48"


@dataclass(frozen=True)
class Team:
    """A running server."""

    url: str
    key: str

    def listed(self, home: Home, kind: str, *, path: str = "", fill: str = "card") -> None:
        """Let policy list it, with its key in a file of mode 0600."""
        config = home.path / "config"
        config.mkdir(exist_ok=True)
        key = config / "team.key"
        key.write_text(self.key)
        key.chmod(0o600)
        (config / "policy.toml").write_text(
            f'version = 1\n[[own.endpoints]]\nname = "team"\nbase_url = "{self.url}{path}"\nkind = "{kind}"\n'
            f'model = "m"\nkey = "file:{key}"\nfill = "{fill}"\n'
        )


@contextmanager
def serving(weights: Path) -> Iterator[Team]:
    command = (sys.executable, "-P", "-m", "pointsman.measure.llama_server", str(weights))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        yield Team(**json.loads(process.stdout.readline()))
        process.stdin.close()
        process.wait(20)


def weights_of(models_dir: Path) -> Path:
    return next((models_dir / "smollm2-135m").glob("*.gguf"))


@pytest.fixture(scope="module")
def team(models_dir: Path) -> Iterator[Team]:
    with serving(weights_of(models_dir)) as found:
        yield found


@pytest.fixture(scope="module")
def filling_team(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The same weights, told that three tokens which they hardly know are markers of a hole: what they fill in is
    nothing to look at, but the server takes holes."""
    file = tmp_path_factory.mktemp("weights") / "fim.gguf"
    reader, writer = gguf.GGUFReader(weights_of(models_dir)), gguf.GGUFWriter(file, "llama")
    tokens = {"fim_pre": 7, "fim_suf": 8, "fim_mid": 9}
    new = {
        f"tokenizer.ggml.{name}_token_id": MetadataDetails(gguf.GGUFValueType.UINT32, number)
        for name, number in tokens.items()
    }
    copy_with_new_metadata(reader, writer, new, [])
    with serving(file) as found:
        yield found


def text_at(home: Home, repository: Path, place: str = _PLACE) -> str:
    reply = home.run("complete", f"{repository}/{place}", "--json").json
    assert reply["items"], reply["reason"]
    return str(reply["items"][0]["text"])


@pytest.mark.parametrize(("kind", "path"), [("llama.cpp", ""), ("openai", "/v1")])
def test_it_completes_as_the_local_engine_does(
    home: Home, fresh_home: Callable[..., Home], team: Team, repository: Path, kind: str, path: str
) -> None:
    theirs = fresh_home(POINTSMAN_ENGINE="own")
    team.listed(theirs, kind, path=path)
    assert text_at(theirs, repository) == text_at(home, repository)
    engines = theirs.run("host", "status", "--json").json["engines"]
    # No engine of this machine was loaded for it.
    assert "team" in {engine["name"] for engine in engines}
    assert not {"llama.cpp", "torch"} & {e["name"] for e in engines if e["model"].startswith(("smol", "m"))}


async def test_an_editor_gets_ghost_text_from_it(fresh_home: Callable[..., Home], team: Team, repository: Path) -> None:
    home = fresh_home(POINTSMAN_ENGINE="own")
    team.listed(home, "llama.cpp")
    file = repository / "shop" / "cart.py"
    text = file.read_text() + "\n\ndef double(x):\n    return "
    wire = await Wire.start([sys.executable, "-m", "pointsman", "serve"], home.environment)
    try:
        await wire.initialize(repository.as_uri())
        await wire.open(file.as_uri(), text)
        lines = text.split("\n")
        answer = await wire.complete(file.as_uri(), len(lines) - 1, len(lines[-1]))
        assert answer["result"]["items"][0]["insertText"].strip()
        await wire.leave()
    finally:
        await wire.close()


def test_answers_and_refactors_come_from_it_too(fresh_home: Callable[..., Home], team: Team, repository: Path) -> None:
    home = fresh_home(POINTSMAN_ENGINE="own")
    team.listed(home, "openai", path="/v1")
    answer = home.run("ask", "What does a cart hold?", "--path", repository, "--json").json
    assert answer["route"]["target"] == "local" and answer["answer"]
    change = home.run("refactor", f"{repository}/shop/inventory.py:__init__", "add a docstring", "--json").json
    assert change["route"]["target"] == "local" and '"""' in change["diff"]


def test_a_hole_goes_to_a_server_that_fills_it_in(
    fresh_home: Callable[..., Home], filling_team: Team, repository: Path
) -> None:
    home = fresh_home(POINTSMAN_ENGINE="own")
    filling_team.listed(home, "llama.cpp", fill="server")
    reply = home.run("complete", f"{repository}/{_PLACE}", "--json").json
    made = [stage["outcome"] for stage in reply["stages"] if stage["stage"] == "generate"]
    assert made and reply["items"] and "pointsman_" not in json.dumps(reply["items"])


def test_a_server_whose_model_cannot_says_what_to_do(
    fresh_home: Callable[..., Home], team: Team, repository: Path
) -> None:
    home = fresh_home(POINTSMAN_ENGINE="own")
    team.listed(home, "llama.cpp", fill="server")
    failed = home.run("complete", f"{repository}/{_PLACE}", code=1)
    assert "team" in failed.err and 'fill = "server"' in failed.err


def test_only_what_policy_lists_is_asked(fresh_home: Callable[..., Home], team: Team, repository: Path) -> None:
    home = fresh_home(POINTSMAN_ENGINE="own")
    assert "own.endpoints" in home.run("complete", f"{repository}/{_PLACE}", code=None).err
    team.listed(home, "llama.cpp")
    (repository / ".pointsman").mkdir()
    (repository / ".pointsman" / "policy.toml").write_text("version = 1\n[own]\nendpoints = []\n")
    home.run("policy", "trust", repository)
    refused = home.run("complete", f"{repository}/{_PLACE}", code=3)
    assert "own endpoint" in refused.err
