"""A request's own table of options, as options of a command: what a task takes by a name, a command takes by its flag.

An option that is added to a request appears here by itself, with its remedy as its help until it has better words.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer

from airflow_batchtx.spec.options import Option

_SIZE = re.compile(r"(\d+)\s*([kmg]i?b)", re.IGNORECASE)
_BYTES: Mapping[str, int] = {"k": 1024, "m": 1024**2, "g": 1024**3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a command's help says of an option: what it does, with units and an example; and what stands for a value."""

    help: str
    metavar: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The options of a request as a command takes them.

    `request` is the dataclass whose fields they are, `options` says how each is read. `argument` is the one that stands
    without a flag, `needed` are those that must be given; `left_out` are no options of this command.
    """

    request: type[Any]
    options: Mapping[str, Option]
    words: Mapping[str, Words] = field(default_factory=dict)
    argument: str | None = None
    needed: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    panel: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The options that this command has."""
        return tuple(name for name in self.options if name not in self.left_out)

    def parameters(self) -> Iterator[inspect.Parameter]:
        """Give a parameter for each, as typer reads it; one that is not given is None."""
        shapes, known = self._shapes(), {one.name: one for one in fields(self.request)}
        return (self._parameter(name, shapes[name], known.get(name)) for name in self.names)

    def given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give those that are on the command line, as a task would be given them."""
        shapes = self._shapes()
        return {name: shapes[name].read(name, values[name]) for name in self.names if values[name] not in (None, [])}

    def _shapes(self) -> dict[str, _Shape]:
        hints = get_type_hints(self.request)
        return {name: _Shape.of(hints.get(name, str)) for name in self.names}

    def _parameter(self, name: str, shape: _Shape, one: Field[Any] | None) -> inspect.Parameter:
        words = self.words.get(name, Words(help=self.options[name].remedy))
        settings: dict[str, Any] = {"help": words.help, "show_default": _shown(one)}
        if not shape.is_flag:
            settings["metavar"] = words.metavar or shape.metavar
        if name == self.argument:
            kind: Any = typer.Argument(**settings)
        else:
            kind = typer.Option(_flag(name, shape), rich_help_panel=self.panel, **settings)
        needed = name in self.needed
        annotated: Any = Annotated  # made at run time, of what mypy cannot see
        return inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if needed else None,
            annotation=annotated[shape.annotation if needed else shape.annotation | None, kind],
        )


def _flag(name: str, shape: _Shape) -> str:
    flag = name.replace("_", "-")
    return f"--{flag}/--no-{flag}" if shape.is_flag else f"--{flag}"


def _shown(one: Field[Any] | None) -> str | bool:
    """Say what holds where an option is not given, if that is a text or a number; a flag's name says it."""
    default = None if one is None else one.default
    return str(default) if isinstance(default, str | int) and not isinstance(default, bool) and default != "" else False


# ------------------------------------------------------------------------------------ what a value is made of texts


@dataclass(frozen=True, slots=True)
class _Shape:
    """How values of a type are written on a command line."""

    annotation: Any
    metavar: str
    is_flag: bool = False
    is_mapping: bool = False

    @classmethod
    def of(cls, hint: Any) -> _Shape:
        """Find it by the type of a request's field, None left aside."""
        kinds = [kind for kind in (get_args(hint) if _is_union(hint) else (hint,)) if kind is not type(None)]
        origins = {get_origin(kind) or kind for kind in kinds}
        if origins == {bool}:
            return cls(bool, "", is_flag=True)
        if any(isinstance(origin, type) and issubclass(origin, Mapping) for origin in origins):
            return cls(list[str], "NAME=VALUE", is_mapping=True)
        if tuple in origins:
            return cls(list[str], "VALUE")
        return cls(str, "NUMBER" if origins <= {int, float} else "TEXT")

    def read(self, name: str, value: Any) -> Any:
        """Make a task's value of what is on the command line; it is read by the option's own rule after that."""
        if self.is_mapping:
            return _mapping(name, value)
        if isinstance(value, list):
            return value[0] if len(value) == 1 else list(value)
        return _bytes(value) if name.endswith("_bytes") else value


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _mapping(name: str, texts: Sequence[str]) -> Any:
    """Read `name=value` texts, or one of JSON. A name without a value has None; names alone are a list of them."""
    if len(texts) == 1 and texts[0].lstrip().startswith("{"):
        try:
            return json.loads(texts[0])
        except ValueError as error:
            raise typer.BadParameter(f"is no JSON: {error}", param_hint=f"--{name.replace('_', '-')}") from None
    pairs = [text.partition("=") for text in texts]
    if not any(mark for _, mark, _ in pairs):
        return [column for column, _, _ in pairs]
    return {column: value if mark else None for column, mark, value in pairs}


def _bytes(value: Any) -> Any:
    """Read `64MiB` (or 64MB, which is meant so here as it is by AWS) as bytes; other texts are left to the option."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(found[1]) * _BYTES[found[2][0].lower()] if found else value
