"""docker-compose.yaml is one that docker-compose takes, and its parts fit together."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = shutil.which("docker-compose")


@pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed")
def test_docker_compose_takes_it() -> None:
    ran = subprocess.run([str(COMPOSE), "config"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert set(yaml.safe_load(ran.stdout)["services"]) == {"s3", "engine", "seed", "airflow"}


def test_every_service_finds_the_engine_and_its_s3() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]

    for name in ("engine", "seed", "airflow"):
        environment = services[name]["environment"]
        assert environment["AWS_ENDPOINT_URL"] == "http://s3:8901"
        assert environment["AWS_ENDPOINT_URL_SAGEMAKER"] == "http://engine:8900"


def test_nothing_is_open_to_the_network() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", ())]

    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
