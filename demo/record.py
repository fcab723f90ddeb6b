"""Run the demo and write what the terminal showed to docs/img/demo.svg. Run: .venv/bin/python demo/record.py"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]


def main() -> None:
    command = ["sh", "demo/run.sh", str(Path(sys.executable).parent)]
    merged = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    console = Console(record=True, width=118, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(merged.stdout.strip().replace(str(ROOT), "~/pointsman")))
    image = ROOT / "docs" / "img" / "demo.svg"
    image.parent.mkdir(parents=True, exist_ok=True)
    # The web fonts that rich names would be fetched by whoever looks at the picture.
    image.write_text(re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="make demo"), flags=re.DOTALL))


if __name__ == "__main__":
    main()
