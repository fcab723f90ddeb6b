"""Commands that bring an editor to this machine; what fails is a reason to skip, told in a line."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Unavailable(Exception):
    """This machine cannot have the editor; the message says why."""


def run(*command: str, seconds: int, cwd: Path | None = None, **environment: str) -> str:
    """Its standard output. Raises `Unavailable`."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{command[0]} took longer than {seconds} s") from error
    except OSError as error:
        raise Unavailable(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise Unavailable(f"{command[0]} failed: {last}")
    return done.stdout
