"""What Airflow finds by the entry point `airflow.plugins`, in each of its processes: so it imports next to nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)

PREFIX = "/batchtx"
# Without a slash in front: the page lies below the path that Airflow itself is served under.
_STATIC = f"{PREFIX[1:]}/static"


def _view(name: str, route: str, destination: str) -> dict[str, str]:
    """Describe a React component of the bundle, which puts it under this `name`."""
    return {
        "name": name,
        "url_route": route,
        "destination": destination,
        "bundle_url": f"{_STATIC}/page.js",
        "icon": f"{_STATIC}/icon.svg",
        "icon_dark_mode": f"{_STATIC}/icon-dark.svg",
    }


def _server() -> Any:
    from airflow_batchtx.plugin.server import app

    return app()


class Served:
    """The server's part, which `make` gives where Airflow asks for it: in the API server.

    There is none where it cannot be made, and the log says why.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __get__(self, instance: object, owner: type) -> list[dict[str, Any]]:
        try:
            return [{"app": self._make(), "url_prefix": PREFIX, "name": owner.name}]  # type: ignore[attr-defined]
        except Exception:  # a page must not be what keeps Airflow's server from starting
            log.exception("Airflow will not serve the page of transform jobs")
            return []


class BatchtxPlugin(AirflowPlugin):
    """A page of all transform jobs, and a tab of each task instance for its own."""

    name = "batchtx"
    fastapi_apps = Served(_server)
    react_apps = [  # noqa: RUF012 - as Airflow declares it
        _view("Transforms", "transform-jobs", "nav"),
        _view("Transform job", "transform-job", "task_instance"),
    ]
