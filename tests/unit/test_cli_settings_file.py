"""Single keys of a settings file that holds more than them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pointsman.cli.settings_file import write_settings
from pointsman.errors import ConfigError
from pointsman.settings import Paths, Settings

TABLES = '[store]\nurl = "https://q.example"\n\n[index]\npause = "both"  # quiet\n'


@pytest.mark.parametrize("top", ["", "# mine\n\n", 'embedder = "one"\n\n'])
def test_a_new_key_goes_before_the_first_table(tmp_path: Path, top: str) -> None:
    paths = Paths.resolve({"POINTSMAN_HOME": str(tmp_path)}).ensure()
    paths.settings_file.write_text(top + TABLES)
    write_settings(paths.settings_file, {"completion_model": "tiny", "engine": "torch"})
    found = Settings.load(paths, {})
    assert (found.completion_model, found.engine) == ("tiny", "torch")
    assert (found.store_url, found.index_pause) == ("https://q.example", "both")
    text = paths.settings_file.read_text()
    assert text.startswith(top.rstrip()) and text.endswith(TABLES)


def test_a_key_of_the_same_name_in_a_table_stays(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[other]\nengine = "mine"\n')
    write_settings(file, {"engine": "torch"})
    assert tomllib.loads(file.read_text()) == {"engine": "torch", "other": {"engine": "mine"}}


def test_a_link_stays_one(tmp_path: Path) -> None:
    target, file = tmp_path / "dotfiles" / "settings.toml", tmp_path / "settings.toml"
    target.parent.mkdir()
    target.write_text('engine = "auto"\n')
    file.symlink_to(target)
    write_settings(file, {"engine": "torch"})
    assert file.is_symlink() and target.read_text() == 'engine = "torch"\n'


def test_what_looks_like_a_table_within_text_is_not_cut(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text := 'note = """\n[x]\n"""\n')
    with pytest.raises(ConfigError, match="by hand"):
        write_settings(file, {"engine": "torch"})
    assert file.read_text() == text
