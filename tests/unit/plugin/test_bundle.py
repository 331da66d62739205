"""The page that is committed is what its sources build, and Airflow finds in it what the plugin names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from airflow_batchtx.plugin.entry import PREFIX, BatchtxPlugin
from airflow_batchtx.plugin.server import STATIC

PAGE = STATIC.parent / "page"
BUNDLE = (STATIC / "page.js").read_text(encoding="utf-8")


def sources(folder: Path = PAGE) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name != "node_modules":
            yield from sources(path) if path.is_dir() else [path]


def test_it_was_built_from_the_sources_beside_it() -> None:
    # As vite.config.ts reckons it: the order is that of the paths' UTF-16, which is this one for ASCII.
    named = sorted((path.relative_to(PAGE).as_posix(), path) for path in sources())
    digest = hashlib.sha256(b"".join(name.encode() + b"\0" + path.read_bytes() + b"\0" for name, path in named))

    found = re.match(r"/\* airflow-batchtx, .* sha256:([0-9a-f]{64}) \*/", BUNDLE)

    assert found, "the bundle does not say what it was built from"
    assert found[1] == digest.hexdigest(), "the page's sources have changed since: run `make page`"


def test_it_gives_every_view_of_the_plugin() -> None:
    for view in BatchtxPlugin.react_apps:
        assert re.search(rf"\W{view['name']}[`'\"]?:", BUNDLE)


def test_all_that_the_plugin_names_is_served() -> None:
    for view in BatchtxPlugin.react_apps:
        for name in ("bundle_url", "icon", "icon_dark_mode"):
            assert (STATIC.parent / view[name].removeprefix(f"{PREFIX[1:]}/")).is_file()


def test_it_is_light_and_asks_nobody_else() -> None:
    assert len(BUNDLE) < 60_000
    assert set(re.findall(r"https?://[^\s\"'`]+", BUNDLE)) == set()


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (PAGE / "package-lock.json").read_text(encoding="utf-8")
