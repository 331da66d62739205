from __future__ import annotations

from pathlib import Path

import pytest

from airflow_batchtx.engine.logs import FileLogs, object_lines
from airflow_batchtx.engine.pages.logtexts import Log, all_pieces, failures, found_in
from airflow_batchtx.spec.uri import S3Uri


def written(folder: Path, *lines: str) -> list[Log]:
    sink = FileLogs(folder, lambda: 1585035682.833)
    for line in lines:
        sink.data_log("i-1", line)
    return found_in(folder)


def told(bucket: str, key: str, detail: str, body: str = "") -> list[str]:
    return list(object_lines(S3Uri(bucket, key), detail, body))


def test_logs_have_the_names_of_their_streams_data_logs_first(tmp_path: Path) -> None:
    for name in ("i-2.log", "i-1.log", "i-1/data-log", "i-2/data-log", "i-2/clean.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    found = found_in(tmp_path)

    assert [log.stream for log in found] == ["i-1/data-log", "i-2/data-log", "i-1", "i-2", "i-2/clean"]
    assert b"".join(all_pieces(found)).startswith(b"===== i-1/data-log =====\ni-1/data-log\n===== i-2/data-log =====")
    assert found_in(tmp_path / "gone") == []


def test_a_tail_is_the_last_lines_of_a_log_of_any_size(tmp_path: Path) -> None:
    path = tmp_path / "i-1.log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(50_000)) + b"\xff last")

    assert found_in(tmp_path)[0].tail(2) == ["line 49999", "\ufffd last"]
    path.write_bytes(b"")
    assert found_in(tmp_path)[0].tail(2) == []


def test_a_failure_is_told_by_the_lines_of_its_object(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        "MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD",
        *told("b", "in/a.csv", "ClientError: 400", "cannot read: x\n\nthis"),
        *told("b", "in/odd: key:1.csv", "Unable to get response from algorithm"),
        *told("b", "in/of-nobody.csv", "ClientError: 400"),
        "Model server: it is not there",
    )

    said = failures(found, {"b/in/a.csv", "b/in/odd: key:1.csv"})

    assert said == {
        "b/in/a.csv": ["ClientError: 400", "Message:", "cannot read: x", "this"],
        "b/in/odd: key:1.csv": ["Unable to get response from algorithm"],
    }


def test_a_long_answer_is_cut_and_containers_are_not_asked(tmp_path: Path) -> None:
    (tmp_path / "i-1.log").write_text("2020-03-24T07:41:22.833:[sagemaker logs]: b/other: not said by SageMaker\n")
    found = written(tmp_path, *told("b", "a", "ClientError: 400", "\n".join(map(str, range(100)))))

    said = failures(found, None)

    assert said == {"b/a": ["ClientError: 400", "Message:", *map(str, range(6))]}


@pytest.mark.parametrize(
    "key", ["odd/c: d.csv", "line\u2028end", "next\x85line", "page\x0cend", "carriage\rreturn", "c:"]
)
def test_odd_keys_are_objects_like_any_other(tmp_path: Path, key: str) -> None:
    found = written(tmp_path, *told("b", key, "ClientError: 400", "what: b/x: is this"))

    said = failures(found, {"b/odd/c", "b/c", f"b/{key}"})

    assert said == {f"b/{key}": ["ClientError: 400", "Message:", "what: b/x: is this"]}
