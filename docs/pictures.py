"""Draw the pictures of README and docs from what the commands really print: `make docs`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 108
# rich: colours as in a terminal, but no spinner and no cursor movements.
TERMINAL = {"COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TTY_INTERACTIVE": "0", "TERM": "xterm-256color"}


def draw(title: str, *command: str) -> str:
    """Run a command of batchtx and give its output as an SVG."""
    ran = subprocess.run(
        [sys.executable, "-m", "airflow_batchtx.cli.main", *command],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **TERMINAL},
    )
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ {title}\n{ran.stdout.rstrip()}"))
    svg = console.export_svg(title=title, unique_id="batchtx")
    # A picture fetches nothing: the reader's own monospace font does.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    Path(__file__).with_name("demo.svg").write_text(draw("make demo", "demo"))
