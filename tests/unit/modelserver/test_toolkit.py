from __future__ import annotations

import io
import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airflow_batchtx import errors
from airflow_batchtx.modelserver.httpserver import Reply
from airflow_batchtx.modelserver.toolkit import HandlerModel

DIR = Path("/opt/ml/model")
CSV, JSON, NPY, NPZ = "text/csv", "application/json", "application/x-npy", "application/x-npz"


def model_of(default_accept: str = JSON, **functions: Any) -> HandlerModel:
    module = types.ModuleType("inference")
    vars(module).update({"model_fn": lambda _model_dir: 10, **functions})
    return HandlerModel(module, DIR, default_accept)


def times_model(data: Any, model: Any) -> Any:
    return data * model


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "answer"),
    [
        (b"1,2\n3,4\n", CSV, CSV, b"10,20\n30,40\n"),
        (b"1,2\n3,4\n", CSV, JSON, b"[[10, 20], [30, 40]]"),
        (b"1.5,2.5\n", CSV, CSV, b"15.0\n25.0\n"),  # a single row is a vector: so it is with the toolkit
        (b"[[1, 2]]", JSON, CSV, b"10,20\n"),
        (npy(np.array([1, 2])), NPY, JSON, b"[10, 20]"),
        (b"[1]", JSON, NPY, npy(np.array([10]))),
        (b"[1]", JSON, "text/html, text/csv", b"10\n"),
    ],
)
def test_default_codecs(body: bytes, content_type: str, accept: str, answer: bytes) -> None:
    reply = model_of(predict_fn=times_model).answer(body, content_type, accept)

    assert reply == Reply(200, answer, accept.rpartition(" ")[2])


def test_npz_is_a_sparse_matrix() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    stream = io.BytesIO()
    sparse.save_npz(stream, sparse.csr_matrix([[0, 2], [0, 0]]))
    model = model_of(predict_fn=lambda data, model: (data * model).toarray())

    assert model.answer(stream.getvalue(), NPZ, JSON).body == b"[[0, 20], [0, 0]]"


def test_data_cannot_run_code() -> None:
    reply = model_of(predict_fn=times_model).answer(npy(np.array([{}], dtype=object)), NPY, JSON)

    assert reply.status == 500


def test_columns_of_several_types_are_a_record_array() -> None:
    # The toolkit's own trap: numpy.genfromtxt with dtype None. A handler with an input_fn does not meet it.
    seen: list[Any] = []
    model_of(predict_fn=lambda data, _model: seen.append(data)).answer(b"1.5,2\n2.5,3\n", CSV, JSON)

    assert (seen[0].shape, seen[0].dtype.names) == ((2,), ("f0", "f1"))


@pytest.mark.parametrize("accept", [None, "", "*/*"])
@pytest.mark.parametrize("default", [JSON, CSV])
def test_any_accept_means_the_default(accept: str | None, default: str) -> None:
    reply = model_of(default, transform_fn=lambda _m, _d, _c, accept: accept).answer(b"", None, accept)

    assert (reply.body.decode(), reply.content_type) == (default, default)


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [(CSV, "str"), (JSON, "str"), (NPY, "bytes"), ("text/csv; charset=utf-8", "bytes"), ("text/plain", "bytes")],
)
def test_csv_and_json_alone_are_text(content_type: str, kind: str) -> None:
    reply = model_of(transform_fn=lambda _m, data, _c, _a: type(data).__name__).answer(b"1", content_type, None)

    assert reply.body.decode() == kind


@pytest.mark.parametrize(
    ("result", "reply"),
    [
        ("ü", Reply(200, "ü".encode(), JSON)),
        (b"\xff", Reply(200, b"\xff", JSON)),
        (bytearray(b"a"), Reply(200, b"a", JSON)),
        (("a,b", CSV), Reply(200, b"a,b", CSV)),
        ({"a": 1}, Reply(200, json.dumps({"a": 1}, indent=2).encode(), JSON)),
        ({1, 2}, Reply(503, b"Unsupported model output data type.")),
    ],
)
def test_what_may_be_returned(result: Any, reply: Reply) -> None:
    assert model_of(transform_fn=lambda _m, _d, _c, _a: result).answer(b"", None, None) == reply


def test_every_function_may_take_the_context() -> None:
    seen: list[str] = []

    def of_one(_first: Any, context: Any) -> str:
        seen.append(context.system_properties["model_dir"])
        return "done"

    def of_two(_first: Any, _second: Any, context: Any) -> str:
        return of_one(None, context)

    model = model_of(
        pre_model_fn=of_one,
        model_fn=of_one,
        model_warmup_fn=of_two,
        input_fn=of_two,
        predict_fn=of_two,
        output_fn=of_two,
    )

    assert model.answer(b"", CSV, CSV).body == b"done"
    assert seen == [str(DIR)] * 6


def test_a_function_of_other_parameters_is_told_so() -> None:
    reply = model_of(predict_fn=lambda data: data).answer(b"1", CSV, CSV)

    assert (reply.status, reply.phrase) == (500, "predict_fn takes 1 arguments but 2 were given.")


@pytest.mark.parametrize("other", ["input_fn", "predict_fn", "output_fn"])
def test_transform_fn_is_alone(other: str) -> None:
    both: dict[str, Any] = {"transform_fn": lambda *_: "", other: lambda *_: ""}
    with pytest.raises(errors.InvalidModelData, match="transform_fn implementation in conjunction"):
        model_of(**both)


def test_a_model_needs_a_model_fn() -> None:
    with pytest.raises(errors.ModelServerError, match="provide a model_fn"):
        model_of(model_fn=None)


def test_a_model_needs_a_predict_fn() -> None:
    reply = model_of().answer(b"1", CSV, CSV)

    assert reply.status == 500
    assert b"provide a predict_fn" in reply.body


@pytest.mark.parametrize(("content_type", "accept"), [("text/plain", CSV), (None, CSV), (CSV, "text/plain")])
def test_types_without_a_codec_are_the_servers_fault(content_type: str | None, accept: str) -> None:
    # The toolkit answers 500 here, not 415: its UnsupportedFormatError carries no status.
    reply = model_of(predict_fn=times_model).answer(b"1", content_type, accept)

    assert reply.status == 500
    assert b"is not supported" in reply.body


def raising(error: Exception) -> HandlerModel:
    def predict_fn(_data: Any, _model: Any) -> Any:
        raise error

    return model_of(predict_fn=predict_fn)


def test_an_error_is_answered_with_its_traceback() -> None:
    reply = raising(KeyError("column_3")).answer(b"1", CSV, CSV)

    assert (reply.status, reply.phrase) == (500, "'column_3'")
    message, _, trace = reply.body.decode().partition("\n")
    assert message == "'column_3'"
    assert trace.startswith("Traceback")
    assert trace.rstrip().endswith("KeyError: 'column_3'")


def test_an_error_without_words_is_an_invalid_request() -> None:
    assert raising(ValueError()).answer(b"1", CSV, CSV).phrase == "Invalid Request"


class ToolkitError(Exception):
    def __init__(self) -> None:
        self.status_code, self.message, self.phrase = 415, "no such thing", "short"


class OtherError(Exception):
    status_code = 415


@pytest.mark.parametrize(("error", "status", "phrase"), [(ToolkitError(), 415, "short"), (OtherError("x"), 500, "x")])
def test_an_error_like_the_toolkits_keeps_its_status(error: Exception, status: int, phrase: str) -> None:
    reply = raising(error).answer(b"1", CSV, CSV)

    assert (reply.status, reply.phrase) == (status, phrase)


def test_text_that_is_no_utf8_is_an_error() -> None:
    assert model_of(predict_fn=times_model).answer(b"\xff", CSV, CSV).status == 500
