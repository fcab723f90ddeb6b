"""Settings that no machine can follow are refused where they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.errors import ConfigError
from pointsman.settings import Paths, Settings


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.resolve({"POINTSMAN_HOME": str(tmp_path)}).ensure()


@pytest.mark.parametrize(
    "line",
    [
        *(f"max_completion_tokens = {value}" for value in ("inf", "nan", "1.9", "true", "0", "-1", "4097", "9" * 400)),
        *(f"idle_minutes = {value}" for value in ("nan", "inf", "true", "0", "999999999999", "9" * 400)),
        *(f"completion_confidence = {value}" for value in ("nan", "1.1", "-0.1", "false")),
    ],
)
def test_a_number_that_is_none_or_out_of_bounds(paths: Paths, line: str) -> None:
    paths.settings_file.write_text(line)
    with pytest.raises(ConfigError, match=line.split()[0]):
        Settings.load(paths, {})


def test_numbers_as_they_are_meant(paths: Paths) -> None:
    paths.settings_file.write_text("max_completion_tokens = 64.0\nidle_minutes = 5\ncompletion_confidence = 1\n")
    found = Settings.load(paths, {"POINTSMAN_MAX_ANSWER_TOKENS": "100"})
    assert (found.max_completion_tokens, found.max_answer_tokens, found.completion_confidence) == (64, 100, 1)
    assert found.idle_minutes == 5
    with pytest.raises(ConfigError, match="POINTSMAN_IDLE_MINUTES"):
        Settings.load(paths, {"POINTSMAN_IDLE_MINUTES": "soon"})


def test_a_home_of_nobody() -> None:
    with pytest.raises(ConfigError, match="POINTSMAN_HOME"):
        Paths.resolve({"POINTSMAN_HOME": "~nobody-of-this-name/x"})


@pytest.mark.parametrize(
    ("text", "line", "remedy"),
    [
        ('# mine\nenginee = "torch"\n', 2, "did you mean engine?"),
        ('device = "cpu"\n[store]\nurll = "x"\n', 3, "did you mean store.url?"),
        ('[index]\npause = "never"\n[zzz]\nqqq = 1\n', 4, "store.url, store.key, index.pause"),
        ('index.pause = "never"\n"xyzzy" = 1', 2, "one of completion_model"),
    ],
)
def test_an_unknown_setting_is_told_with_its_line_and_what_the_file_takes(
    paths: Paths, text: str, line: int, remedy: str
) -> None:
    paths.settings_file.write_text(text)
    with pytest.raises(ConfigError, match=rf"settings.toml:{line}: unknown setting") as told:
        Settings.load(paths, {})
    assert remedy in told.value.remedy and "index_pause" not in told.value.remedy


def test_a_wrong_value_is_told_with_its_line_and_as_the_file_spells_it(paths: Paths) -> None:
    paths.settings_file.write_text('engine = "torch"\n\n[index]\npause = "sometimes"\n')
    with pytest.raises(ConfigError, match=r"settings.toml:4: index.pause must be one of never"):
        Settings.load(paths, {})
