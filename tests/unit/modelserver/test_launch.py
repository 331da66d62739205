from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from airflow_batchtx import errors
from airflow_batchtx.modelserver import modeldata
from airflow_batchtx.modelserver.handlerprocess import process_environment
from airflow_batchtx.modelserver.launch import LAUNCHERS, Container, Kind, kind, launch

LOG = Path("container.log")


def test_every_kind_has_its_launcher() -> None:
    assert set(LAUNCHERS) == set(Kind)


@pytest.mark.parametrize(
    ("image", "model_dir", "expected"),
    [
        ("http://127.0.0.1:8080", None, Kind.RUNNING),
        ("https://models.example.com/churn", Path("model"), Kind.RUNNING),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1", Path("model"), Kind.HANDLER),
    ],
)
def test_kinds(image: str, model_dir: Path | None, expected: Kind) -> None:
    assert kind(Container(image=image, log=LOG, model_dir=model_dir)) is expected


@pytest.mark.parametrize("model_dir", [None, Path("model")])
def test_docker_runs_every_image_that_is_no_url(model_dir: Path | None) -> None:
    assert kind(Container(image="churn:1", log=LOG, model_dir=model_dir, docker="me")) is Kind.IMAGE
    assert kind(Container(image="http://127.0.0.1:1", log=LOG, model_dir=model_dir, docker="me")) is Kind.RUNNING


def test_an_image_alone_cannot_be_run() -> None:
    with pytest.raises(errors.InvalidModelData, match=r"'churn:1'.*http://.*ModelDataUrl"):
        launch(Container(image="churn:1", log=LOG))


def test_a_running_server_is_left_alone() -> None:
    server = launch(Container(image="http://127.0.0.1:8080/x", log=LOG))
    server.close()

    assert (server.url, server.ended()) == ("http://127.0.0.1:8080/x", None)


@pytest.mark.parametrize("image", ["http://", "http://host:port", "http://host:99999", "http://:80", "http://h:0"])
def test_a_url_that_is_none(image: str) -> None:
    with pytest.raises(errors.InvalidModelData, match="no usable URL"):
        launch(Container(image=image, log=LOG))


def test_a_handler_gets_no_credentials_of_ours() -> None:
    host = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_PROFILE": "prod",
        "AWS_SHARED_CREDENTIALS_FILE": "/home/me/creds",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/",
        "AIRFLOW_CONN_DB": "postgres://me:secret@db",
    }

    assert process_environment({}, host) == {
        "PATH": "/bin",
        "HOME": "/home/me",
        "AWS_REGION": "eu-west-1",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUNBUFFERED": "1",
    }


def test_a_containers_environment_wins() -> None:
    own = {"AWS_ACCESS_KEY_ID": "its own", "AWS_CONFIG_FILE": "config", "PATH": "/model/bin"}

    assert process_environment(own, {"PATH": "/bin"}).items() >= own.items()


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up", "code/../.."])
def test_members_outside_are_refused(name: str) -> None:
    with pytest.raises(tarfile.ExtractError):
        modeldata.check(tarfile.TarInfo(name))


@pytest.mark.parametrize("kind_", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_members_of_other_kinds_are_refused(kind_: bytes) -> None:
    member = tarfile.TarInfo("model.bin")
    member.type = kind_
    with pytest.raises(tarfile.ExtractError):
        modeldata.check(member)


def test_plain_members_pass() -> None:
    folder = tarfile.TarInfo("./code")
    folder.type = tarfile.DIRTYPE
    modeldata.check(folder)
    modeldata.check(tarfile.TarInfo("code/inference..py"))
