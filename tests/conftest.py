"""What every suite shares: where the real models are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pointsman.settings import Paths

# As the model processes get it: torch's threads must not spin while other tests hold the cores. Read when torch loads.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Folder with the default models, one folder each, as `pointsman models pull` leaves it."""
    folder = Path(os.environ.get("POINTSMAN_TEST_MODELS") or Paths.resolve().models)
    if not (folder / "smollm2-135m").exists():
        reason = "the default models are not here: run `pointsman models pull`, or set POINTSMAN_TEST_MODELS"
        if os.environ.get("CI"):
            pytest.fail(reason)  # a check that skips what it is for would be green for nothing
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def derived_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where converted models are kept for the whole run: converting a GGUF takes seconds."""
    return tmp_path_factory.mktemp("derived")
