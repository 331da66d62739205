from __future__ import annotations

import pytest

from airflow_batchtx.engine.containers import log_names

NAMES: dict[str, tuple[list[str | None], list[str | None]]] = {
    "alone": (["clean"], [None]),
    "named": (["clean", "score"], ["clean", "score"]),
    "some named": (["clean", None], ["clean", "container-2"]),
    "of one package": (["both", "both"], ["container-1", "container-2"]),
    "named as another's position": (["container-2", None], ["container-1", "container-2"]),
    "named as the stream beside": (["data-log", "score"], ["container-1", "container-2"]),
}


@pytest.mark.parametrize(("hostnames", "names"), NAMES.values(), ids=NAMES)
def test_no_two_logs_have_one_name(hostnames: list[str | None], names: list[str | None]) -> None:
    assert log_names([{"ContainerHostname": name} if name else {} for name in hostnames]) == names
