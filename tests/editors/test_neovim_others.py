"""Helix and Emacs with eglot: the suggestion comes through the completion menu, changes through code actions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .neovim_editor import SECONDS, screen, wait
from .neovim_fixtures import SERVE, Fixed, fixed, fixed_home, home, installed, nvim, repository
from .neovim_install import Editors

pytestmark = pytest.mark.model

_EGLOT = """
(require 'eglot)
(setq eglot-sync-connect 30 eglot-autoshutdown t eglot-events-buffer-config '(:size 0))
(add-to-list 'eglot-server-programs '(python-mode . ({command})))
(find-file "{file}")
(python-mode)
(apply #'eglot (eglot--guess-contact))
(goto-char (point-max))
(insert "rebate =")
(let* ((capf (eglot-completion-at-point))
       (found (all-completions "" (nth 2 capf)))
       (finish (plist-get (nthcdr 3 capf) :exit-function)))
  (message "offered: %S" found)
  (insert (car found))
  (funcall finish (car found) 'finished))
(message "line: %s" (buffer-substring-no-properties (line-beginning-position) (line-end-position)))
"""


def test_helix_shows_and_takes_the_suggestion(
    installed: Editors, fixed: Fixed, repository: Path, tmp_path: Path
) -> None:
    fixed.answers = {"rebate =": [" price * quantity"]}
    config = tmp_path / "config" / "helix"
    config.mkdir(parents=True)
    (config / "config.toml").write_text("[editor]\nidle-timeout = 50\ncompletion-timeout = 50\n")
    arguments = ", ".join(f'"{word}"' for word in SERVE[1:])
    (config / "languages.toml").write_text(
        f'[language-server.pointsman]\ncommand = "{SERVE[0]}"\nargs = [{arguments}]\ntimeout = 60\n\n'
        '[[language]]\nname = "python"\nlanguage-servers = ["pointsman"]\nauto-format = false\n'
    )
    cart = repository / "shop" / "cart.py"
    environment = fixed.home.environment | installed.helix.environment | {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    command = [*installed.helix.command, str(cart)]
    with screen(installed.tmux, command, environment, repository) as terminal:
        wait("Helix", lambda: "cart.py" in terminal.text(), told=terminal.text)
        terminal.press("g e o")
        terminal.type("rebate =")

        def offered() -> bool:
            terminal.press("C-x")
            return "price * quantity" in terminal.text()

        wait("the menu", offered, told=terminal.text)
        terminal.press("Tab")
        terminal.press("Enter")
        terminal.press("Escape")
        wait("normal mode", lambda: " NOR " in terminal.text(), told=terminal.text)  # else Escape and : are one key
        terminal.type(":write")
        terminal.press("Enter")

        def saved() -> bool:
            try:
                return "rebate = price * quantity\n" in cart.read_text()
            except FileNotFoundError:  # Helix puts a new file in its place
                return False

        wait("the saved file", saved, told=terminal.text)


def test_eglot_offers_and_inserts_the_suggestion(
    installed: Editors, fixed: Fixed, repository: Path, tmp_path: Path
) -> None:
    fixed.answers = {"rebate =": [" price * quantity"]}
    cart = repository / "shop" / "cart.py"
    script = tmp_path / "eglot.el"
    command = " ".join(f'"{word}"' for word in SERVE)
    script.write_text(_EGLOT.replace("{command}", command).replace("{file}", str(cart)))
    done = subprocess.run(
        [*installed.emacs.command, "-Q", "--batch", "-l", str(script)],
        cwd=repository,
        env=fixed.home.environment | installed.emacs.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "line: rebate = price * quantity" in done.stderr, done.stderr
