"""Runs a model's handler functions by the rules of the SageMaker inference toolkit.

Source: aws/sagemaker-inference-toolkit, transformer.py and default_inference_handler.py; what becomes of a result
that is neither text nor bytes: awslabs/multi-model-server, otf_message_handler.py.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

from airflow_batchtx import errors
from airflow_batchtx.modelserver import codecs, contract
from airflow_batchtx.modelserver.httpserver import Reply

Function = Callable[..., Any]

_EXCLUSIVE = ("input_fn", "predict_fn", "output_fn")
_TAKES_ANY = "*/*"


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler function with one parameter more than it needs is given, as the toolkit does."""

    model_name: str
    system_properties: Mapping[str, Any]


class HandlerModel:
    """A loaded model with the functions that serve it; `answer` may run in many threads at once."""

    def __init__(self, module: ModuleType | None, model_dir: Path, default_accept: str) -> None:
        self._functions = functions(module)
        self._default_accept = default_accept
        self._context = Context("model", {"model_dir": str(model_dir), "gpu_id": None, "batch_size": 1})
        self._call("pre_model_fn", str(model_dir))
        self._model = self._call("model_fn", str(model_dir))
        self._call("model_warmup_fn", str(model_dir), self._model)

    def answer(self, body: bytes, content_type: str | None, accept: str | None) -> Reply:
        """Transform one mini-batch; what a handler raises becomes a reply with its message and traceback."""
        accept = accept if accept and accept != _TAKES_ANY else self._default_accept
        try:
            data = body.decode() if content_type in codecs.TEXTS else body
            return _reply(self._transformed(data, content_type, accept), accept)
        except Exception as error:  # noqa: BLE001  # whatever a handler raises is its answer
            traceback.print_exc()
            return _failure(error, traceback.format_exc())

    def _transformed(self, data: str | bytes, content_type: str | None, accept: str) -> Any:
        if "transform_fn" in self._functions:
            return self._call("transform_fn", self._model, data, content_type, accept)
        prediction = self._call("predict_fn", self._call("input_fn", data, content_type), self._model)
        return self._call("output_fn", prediction, accept)

    def _call(self, name: str, *arguments: Any) -> Any:
        function = self._functions[name]
        takes = len(inspect.signature(function).parameters)
        if takes not in {len(arguments), len(arguments) + 1}:
            raise errors.ModelServerError(f"{name} takes {takes} arguments but {len(arguments)} were given.")
        return function(*arguments, self._context) if takes > len(arguments) else function(*arguments)


def load(model_dir: Path, environment: Mapping[str, str]) -> HandlerModel:
    """Import the handler's module from `model_dir`/code and load its model; raises what they raise."""
    sys.path.insert(0, str(model_dir / contract.CODE_FOLDER))
    name = environment.get(contract.PROGRAM, contract.DEFAULT_PROGRAM).removesuffix(".py")
    return HandlerModel(importlib.import_module(name), model_dir, environment.get(contract.DEFAULT_ACCEPT, codecs.JSON))


def functions(module: ModuleType | None) -> dict[str, Function]:
    """Give the functions of a handler's module by name, the toolkit's own in place of missing ones."""
    names = (*_DEFAULTS, "transform_fn")
    own = {name: function for name in names if (function := getattr(module, name, None)) is not None}
    if "transform_fn" in own and not own.keys().isdisjoint(_EXCLUSIVE):
        raise errors.InvalidModelData(
            "Cannot use transform_fn implementation in conjunction with "
            "input_fn, predict_fn, and/or output_fn implementation"
        )
    return {**_DEFAULTS, **own}


def _missing(name: str) -> errors.ModelServerError:
    return errors.ModelServerError(f"Please provide a {name} implementation: the handler's module has none.")


def _no_model_fn(_model_dir: str) -> Any:
    raise _missing("model_fn")


def _no_predict_fn(_data: Any, _model: Any) -> Any:
    raise _missing("predict_fn")


_DEFAULTS: Mapping[str, Function] = {
    "pre_model_fn": lambda _model_dir: None,
    "model_fn": _no_model_fn,
    "model_warmup_fn": lambda _model_dir, _model: None,
    "input_fn": codecs.decode,
    "predict_fn": _no_predict_fn,
    "output_fn": codecs.encode,
}


def _reply(result: Any, accept: str) -> Reply:
    body, content_type = (result[0], result[1]) if isinstance(result, tuple) else (result, accept)
    if isinstance(body, bytes | bytearray):
        return Reply(HTTPStatus.OK, bytes(body), content_type)
    try:
        text = body if isinstance(body, str) else json.dumps(body, indent=2)
    except TypeError:
        return Reply(HTTPStatus.SERVICE_UNAVAILABLE, b"Unsupported model output data type.")
    return Reply(HTTPStatus.OK, text.encode(), content_type)


def _failure(error: Exception, trace: str) -> Reply:
    """Answer with the status of an error that has one in the shape of the toolkit's errors, else 500."""
    status, message, phrase = (getattr(error, name, None) for name in ("status_code", "message", "phrase"))
    if not isinstance(status, int) or message is None or phrase is None:
        status, message = HTTPStatus.INTERNAL_SERVER_ERROR, str(error) or "Invalid Request"
        phrase = message
    return Reply(int(status), f"{message}\n{trace}".encode(errors="replace"), phrase=str(phrase))
