"""Draw the pictures of README and docs from what the commands really print: `make docs`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


# What is scored for the report: the demo's table, by two instances.
HOME = "s3://batchtx-demo/late-payments"
REQUEST = {
    "ModelName": "late-payments",
    "TransformOutput": {"S3OutputPath": f"{HOME}/out/"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
}
PREPARE = ("--columns", "late_april,bill_april,age", "--keep", "holder,late_september", "--instance-count", "2")


def report(folder: Path) -> Path:
    """Score the demo's table on a local engine, by the command line alone, and give the page about it."""
    with engine(folder / "engine") as environment:

        def batchtx(*command: str) -> str:
            line = [sys.executable, "-m", "airflow_batchtx.cli.main", *command]
            return subprocess.run(
                line, stdout=subprocess.PIPE, text=True, check=True, cwd=folder, env=environment
            ).stdout

        batchtx("demo", "--seed")
        (folder / "churn.json").write_text(json.dumps(REQUEST))
        staged = batchtx("prepare", f"{HOME}/source/", *PREPARE, "--output", f"{HOME}/in/", "--json")
        (folder / "prepared.json").write_text(staged)
        (folder / "result.json").write_text(batchtx("run", "churn.json", "--prepared", "prepared.json", "--json"))
        scored = ("--output", f"{HOME}/scored/", "--predictions", "late=double")
        batchtx("associate", "result.json", *scored, "--report", "report.html")
    return folder / "report.html"


@contextmanager
def engine(home: Path) -> Iterator[dict[str, str]]:
    """Run an engine with an S3 of its own, and give the environment that finds them."""
    command = [sys.executable, "-m", "airflow_batchtx.engine", "--home", str(home), "--ends-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        told = json.loads(process.stdout.readline())
        yield {
            **os.environ,
            "AWS_ENDPOINT_URL": told["storage"],
            "AWS_ENDPOINT_URL_SAGEMAKER": told["engine"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
        process.stdin.close()


def photograph(page: Path, picture: Path) -> None:
    """Take a picture of a page with Chromium, where there is one."""
    if (browser := shutil.which("chromium") or shutil.which("google-chrome")) is None:
        print(f"No Chromium: {picture.name} stays as it is.")  # noqa: T201 - for who runs make docs
        return
    options = ("--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1180,1130", f"--screenshot={picture}")
    subprocess.run([browser, *options, page.as_uri()], check=True, stderr=subprocess.DEVNULL)


def photograph_airflow(docs: Path) -> None:
    """Take pictures of Airflow's pages where the tests in a browser come past them; those skip where there is none."""
    tests = [sys.executable, "-m", "pytest", "-p", "no:xdist", "tests/e2e/browser"]
    subprocess.run(tests, check=True, cwd=docs.parent, env={**os.environ, "BATCHTX_PICTURES": str(docs)})


if __name__ == "__main__":
    docs = Path(__file__).resolve().parent
    (docs / "demo.svg").write_text(draw("make demo", "demo"))
    with tempfile.TemporaryDirectory() as scratch:
        photograph(report(Path(scratch)), docs / "report.png")
    photograph_airflow(docs)
