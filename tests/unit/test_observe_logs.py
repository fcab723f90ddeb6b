"""What a log line may hold."""

from __future__ import annotations

import logging
import logging.handlers
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman.observe.logs import SafeFormatter, _SharedFile, log_to_file, tame_last_resort

SECRET = "canary_83ab"


def record(name: str, message: str, *arguments: object, error: Exception | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord(name, logging.WARNING, "/x/library.py", 7, message, arguments, info)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards together with all that installing a handler touches."""
    logger, raising = logging.getLogger(), logging.raiseExceptions
    before, level = list(logger.handlers), logger.level
    yield logger
    for handler in set(logger.handlers) - set(before):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)
    logging.captureWarnings(False)
    logging.raiseExceptions = raising


@pytest.mark.parametrize("name", ["pygls.protocol", "asyncio", "openai", "pointsmanlike", "root"])
def test_of_a_librarys_record_only_the_place_is_kept(name: str) -> None:
    line = SafeFormatter().format(record(name, f"{SECRET} %s", SECRET))
    assert SECRET not in line and "library.py:7" in line


def test_of_an_exception_only_the_type_is_kept() -> None:
    line = SafeFormatter().format(record("pointsman.lsp", "it failed: %s", "why", error=ValueError(SECRET)))
    assert line.endswith("WARNING pointsman.lsp: it failed: why [ValueError]")


def test_the_file_is_the_users_own_and_holds_no_traceback(tmp_path: Path, root: logging.Logger) -> None:
    path = tmp_path / "log" / "serve.log"
    log_to_file(path, logging.DEBUG)
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("pointsman.lsp").exception("it failed")
        logging.getLogger("pygls.protocol").exception(SECRET)
    text = path.read_text()
    assert "it failed [ValueError]" in text and SECRET not in text and "Traceback" not in text
    logging.getLogger("pygls.protocol").info(SECRET)
    assert path.read_text() == text, "pygls logs whole messages at INFO"


def test_a_full_log_is_moved_away_once_and_stays_the_users_own(tmp_path: Path, root: logging.Logger) -> None:
    path, before = tmp_path / "serve.log", os.umask(0o022)
    try:
        windows = [_SharedFile(path, maxBytes=300, backupCount=1, encoding="utf-8") for _ in range(3)]
        for window in windows:
            window.setFormatter(SafeFormatter())
        for number in range(6):  # the last one fills the file; then each window has an old one open
            windows[0].emit(record("pointsman", f"early {number}"))
        for window in windows:
            window.emit(record("pointsman", "late"))
            window.close()
    finally:
        os.umask(before)
    assert path.read_text().count("late") == 3
    assert "early" in (tmp_path / "serve.log.1").read_text()
    assert all(one.stat().st_mode & 0o777 == 0o600 for one in tmp_path.iterdir())


def test_a_log_is_not_written_through_a_link(tmp_path: Path, root: logging.Logger) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("kept")
    (tmp_path / "serve.log").symlink_to(target)
    before = list(root.handlers)
    log_to_file(tmp_path / "serve.log")
    assert root.handlers == before and target.read_text() == "kept"


def test_without_any_handler_nothing_is_told_either(capsys: pytest.CaptureFixture[str]) -> None:
    assert logging.lastResort is not None
    before = logging.lastResort.formatter
    try:
        tame_last_resort()
        logging.lastResort.handle(record("pygls.protocol", SECRET, error=ValueError(SECRET)))
    finally:
        logging.lastResort.setFormatter(before)
    said = capsys.readouterr().err
    assert "ValueError" in said and SECRET not in said
