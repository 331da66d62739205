"""What Airflow's API server says of itself."""

from __future__ import annotations

import http.client
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_batchtx.cli.ui.watching import GONE, ILL

_SECONDS, _SECONDS_TO_WARM_UP = 10.0, 300.0
_NO_ANSWER = (OSError, http.client.HTTPException, ValueError, KeyError)
# The parts of Airflow that its health knows, by their names there.
PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What Airflow has read by now: its DAGs, their files in the DAGs folder, and the files that it cannot read."""

    dags: tuple[str, ...]
    files: frozenset[str]
    broken: tuple[str, ...]

    def lacks(self, files: Iterable[str]) -> tuple[str, ...]:
        """Name those of some files that are not among them."""
        return tuple(file for file in files if file not in {*self.files, *self.broken})


@dataclass(frozen=True, slots=True)
class Pages:
    """Airflow's address and its user."""

    host: str
    port: int
    user: str
    password: str

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{self.host}:{self.port}"

    def ailing(self) -> dict[str, float]:
        """Name what is not healthy now, and how long that may be so, in seconds; see `watching`.

        Where the API server does not answer, nothing is known of the others.
        """
        try:
            found = self._asked("GET", "/api/v2/monitor/health")
            return {part: ILL for part in PARTS if found[part]["status"] != "healthy"}
        except ConnectionRefusedError:
            return {"api_server": GONE}
        except _NO_ANSWER:
            return {"api_server": ILL}

    def cold(self) -> tuple[str, ...]:
        """Name the API server until it is ready for tasks: left to the first of them, that is waited for by all."""
        try:
            self._asked("GET", "/execution/health", seconds=_SECONDS_TO_WARM_UP)
        except _NO_ANSWER:
            return ("api_server",)
        return ()

    def unread(self, files: Collection[str]) -> tuple[str, ...]:
        """Name those of some files of the DAGs folder that Airflow has not come to yet."""
        try:
            return self.parsed().lacks(files)
        except _NO_ANSWER:
            return tuple(files)

    def parsed(self) -> Parsed:
        """Ask which DAGs there are, with the user's own token."""
        token = self._token()
        known = self._asked("GET", "/api/v2/dags?limit=100", token=token)["dags"]
        errors = self._asked("GET", "/api/v2/importErrors?limit=100", token=token)["import_errors"]
        return Parsed(
            dags=tuple(dag["dag_id"] for dag in known),
            files=frozenset(dag["relative_fileloc"] for dag in known),
            broken=tuple(error["filename"] for error in errors),
        )

    def make_pool(self, name: str, slots: int) -> None:
        """Make a pool whose slots deferred tasks hold too; one of an earlier start stays as it is."""
        pool = {"name": name, "slots": slots, "include_deferred": True}
        self._asked("POST", "/api/v2/pools", pool, token=self._token())

    def _token(self) -> str:
        credentials = {"username": self.user, "password": self.password}
        return str(self._asked("POST", "/auth/token", credentials)["access_token"])

    def _asked(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str = "",
        seconds: float = _SECONDS,
    ) -> Any:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=seconds)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
