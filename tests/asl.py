"""What the Amazon States Language asks of a state machine whose queries are JSONPath: a checker of definitions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# https://states-language.net/spec.html, and what Step Functions adds: fields by type of state, those needed first.
COMMON = {"Type", "Comment"}
FLOW = {"Next", "End"}
DATA = {"InputPath", "OutputPath"}
MADE = {"Parameters", "ResultPath"}
FIELDS: Mapping[str, tuple[set[str], set[str]]] = {
    "Task": (
        {"Resource"},
        {*FLOW, *DATA, *MADE, "ResultSelector", "Retry", "Catch", "TimeoutSeconds", "HeartbeatSeconds"},
    ),
    "Pass": (set(), {*FLOW, *DATA, *MADE, "Result"}),
    "Wait": (set(), {*FLOW, *DATA, "Seconds", "SecondsPath", "Timestamp", "TimestampPath"}),
    "Choice": ({"Choices"}, {*DATA, "Default"}),
    "Succeed": (set(), DATA),
    "Fail": (set(), {"Error", "ErrorPath", "Cause", "CausePath"}),
}
RETRIER = {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy"}
CATCHER = {"ErrorEquals", "ResultPath", "Next"}
COMPARISONS = {"StringEquals", "StringMatches", "NumericLessThan", "IsPresent"}
REFERENCE = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_]*)*")
RESOURCE = re.compile(r"arn:[a-z-]+:states:::[a-z-]+(:[a-z]+)?:[a-zA-Z]+(\.sync(:2)?|\.waitForTaskToken)?")
CALL = re.compile(r"States\.[A-Z][A-Za-z0-9]+\(.*\)")


def faults(definition: Mapping[str, Any]) -> list[str]:
    """Name everything that is wrong with a definition."""
    return list(_machine(definition))


def _machine(definition: Mapping[str, Any]) -> Iterator[str]:
    states = definition["States"]
    if unknown := definition.keys() - {"Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"}:
        yield f"unknown {sorted(unknown)}"
    for name, state in states.items():
        if len(name) > 80:
            yield f"{name}: longer than 80 characters"
        yield from (f"{name}: {fault}" for fault in _state(state))
        yield from (f"{name}: no state {then}" for then in targets(state) if then not in states)
    reached, ahead = set(), {definition["StartAt"]}
    while ahead:
        reached |= ahead
        ahead = {then for name in ahead if name in states for then in targets(states[name])} - reached
    yield from (f"{name}: never reached" for name in states.keys() - reached)
    yield from (f"no state {name}" for name in reached - states.keys())


def targets(state: Mapping[str, Any]) -> list[str]:
    """Name the states that may follow a state."""
    rules = [*state.get("Choices", ()), *state.get("Catch", ()), state]
    return [rule["Next"] for rule in rules if "Next" in rule] + [state[key] for key in ("Default",) if key in state]


def _state(state: Mapping[str, Any]) -> Iterator[str]:
    needed, allowed = FIELDS[state["Type"]]
    if missing := needed - state.keys():
        yield f"lacks {sorted(missing)}"
    if strange := state.keys() - needed - allowed - COMMON:
        yield f"has {sorted(strange)}"
    if "Next" in allowed and ("Next" in state) == ("End" in state):
        yield "has both or neither of Next and End"
    if "Resource" in state and not RESOURCE.fullmatch(state["Resource"]):
        yield f"calls {state['Resource']}"
    paths = [state[key] for key in state if key.endswith("Path")]
    yield from (f"path {path}" for path in paths if path is not None and not REFERENCE.fullmatch(path))
    yield from _template(state.get("Parameters", {}))
    yield from (fault for rule in state.get("Choices", ()) for fault in _choice(rule, top=True))
    yield from (fault for rule in state.get("Retry", ()) for fault in _retrier(rule))
    for key in ("Retry", "Catch"):
        rules = state.get(key, [])
        if any("States.ALL" in rule["ErrorEquals"] for rule in rules[:-1]):
            yield f"{key}: States.ALL before another"
        if any("States.ALL" in rule["ErrorEquals"] and len(rule["ErrorEquals"]) > 1 for rule in rules):
            yield f"{key}: States.ALL beside another"
        yield from (f"{key}: no errors" for rule in rules if not rule["ErrorEquals"])
    yield from (f"Catch: {rule.keys() - CATCHER}" for rule in state.get("Catch", ()) if rule.keys() - CATCHER)


def _template(value: Any) -> Iterator[str]:
    match value:
        case Mapping():
            for key, part in value.items():
                if not key.endswith(".$"):
                    yield from _template(part)
                elif not (CALL.fullmatch(part) or REFERENCE.fullmatch(part) or REFERENCE.fullmatch(part[1:])):
                    yield f"{key} is no path: {part}"
        case list():
            for part in value:
                yield from _template(part)


def _choice(rule: Mapping[str, Any], *, top: bool = False) -> Iterator[str]:
    if top != ("Next" in rule):
        yield "a choice leads nowhere, or a part of one somewhere"
    inner = [part for key in ("And", "Or") for part in rule.get(key, ())] + [
        rule[key] for key in ("Not",) if key in rule
    ]
    for part in inner:
        yield from _choice(part)
    if not inner and (len(rule.keys() & COMPARISONS) != 1 or not REFERENCE.fullmatch(rule.get("Variable", ""))):
        yield f"no comparison: {rule}"


def _retrier(rule: Mapping[str, Any]) -> Iterator[str]:
    if rule.keys() - RETRIER:
        yield f"Retry: {rule.keys() - RETRIER}"
    bounds = {"IntervalSeconds": (1, 99_999_999), "MaxAttempts": (0, 99_999_999), "BackoffRate": (1, 1e9),
              "MaxDelaySeconds": (rule.get("IntervalSeconds", 1) + 1, 31_622_399)}  # fmt: skip
    for name, (least, most) in bounds.items():
        if name in rule and not least <= rule[name] <= most:
            yield f"Retry: {name} = {rule[name]}"
    if rule.get("JitterStrategy", "NONE") not in ("FULL", "NONE"):
        yield "Retry: JitterStrategy"
