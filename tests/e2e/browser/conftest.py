"""One Airflow with the local engine for all tests of this folder, started as a user starts it: `make ui`.

- `airflow` (session): what runs. `.url` Airflow's address, no slash at its end; `.user` and `.password`; `.token` for
  `Authorization: Bearer` and the cookie `_token`; `.api` Airflow's REST API, logged in (`tests.e2e.airflow.api`);
  `.engine` the engine and its S3 (`tests.engines`: `.url`, `.sagemaker()`, `.s3`); `.bucket`; `.home` with the logs
- `browser` (module): playwright's Browser, which is Debian's chromium; skips where there is none
- `page`: a playwright Page, logged in; a path is enough for an address: `page.goto("/dags/score_on_demand")`
- `picture`: `picture("form", page)` photographs a page, or a Locator of one, for docs/form.png, where `make docs` asks
  for that

The tests of `test_ui.py` come last, since they end it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.browser.users_airflow import ROOT, UsersAirflow, started

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

# A sandbox needs more rights than containers have; a test asks nobody but this machine.
CHROMIUM = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
# Milliseconds. On an idle machine a page takes one second; on one that runs other tests as well it takes what it takes.
PATIENCE = 90_000
SIZE = {"width": 1280, "height": 860}
PICTURES = "BATCHTX_PICTURES"
HERE, LAST = Path(__file__).parent, "test_ui.py"

Picture = Callable[[str, "Page | Locator"], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that end what the others of this folder share come last of them."""
    places = [place for place, item in enumerate(items) if item.path.parent == HERE]
    ordered = sorted((items[place] for place in places), key=lambda item: item.path.name == LAST)
    for place, item in zip(places, ordered, strict=True):
        items[place] = item


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UsersAirflow]:
    if not (ROOT / ".venv/bin/batchtx").exists() or shutil.which("make") is None:
        pytest.skip("make, or .venv of `make setup`, is not there")
    with started(tmp_path_factory.mktemp("ui")) as found:
        yield found


@pytest.fixture(scope="module")  # while a playwright is there, no other test of this process could run an event loop
def browser() -> Iterator[Browser]:
    if (program := shutil.which("chromium")) is None:
        pytest.skip("chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=program, args=list(CHROMIUM))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, airflow: UsersAirflow) -> Iterator[Page]:
    with browser.new_context(base_url=airflow.url, viewport=SIZE, locale="en-US", color_scheme="light") as context:
        context.set_default_timeout(PATIENCE)
        context.add_cookies([{"name": "_token", "value": airflow.token, "url": airflow.url}])
        yield context.new_page()


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    folder = Path(os.environ.get(PICTURES, tmp_path))

    def photograph(name: str, shown: Page | Locator) -> None:
        shown.screenshot(path=folder / f"{name}.png", animations="disabled", caret="hide")

    return photograph
