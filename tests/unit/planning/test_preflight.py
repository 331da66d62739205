from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx import TransformJob
from airflow_batchtx.errors import Problem
from airflow_batchtx.planning.preflight import Facts, doubts, problems
from airflow_batchtx.planning.selection import Found, InputSet, select
from airflow_batchtx.planning.settings import MIB
from airflow_batchtx.planning.transfers import output_of
from airflow_batchtx.spec.members import BY_NAME, MEMBERS
from airflow_batchtx.spec.prepared import PreparedInput
from airflow_batchtx.spec.uri import S3Uri
from airflow_batchtx.spec.wire import put

GOOD: dict[str, Any] = {
    "model_name": "churn",
    "input": "s3://b/in/",
    "output": "s3://b/out/",
    "instance_type": "ml.m5.large",
    "content_type": "text/csv",
}
CONTROL = S3Uri("b", "_batchtx/")


def found(*keys: str, size: int = 9) -> list[Found]:
    return [Found(S3Uri("b", key), size, '"e"') for key in keys]


def inputs(*objects: Found, prefix: str = "in/") -> InputSet:
    return select([S3Uri("b", prefix)], objects)


def facts(known: InputSet | None = None, heads: tuple[bytes, ...] = (), **change: Any) -> Facts:
    job = TransformJob(**{**GOOD, **change})
    return Facts(request=job.to_request(), inputs=known, control=CONTROL, heads=heads)


class Later:
    """Stands for an XComArg."""

    def resolve(self, context: Any) -> Any:
        return context


FINE = [
    facts(),
    facts(inputs(*found("in/a", "in/b"))),
    facts(inputs(*found("in/a"), prefix="in"), input="s3://b/in"),
    facts(input="s3://b/in", output="s3://b/out"),
    facts(input=["s3://b/a/", "s3://b/c/"]),
    facts(input="s3://other/", output="s3://b/out/"),
    facts(input="s3://b/in/a.csv", output="s3://b/in/scored/"),
    facts(inputs(*found("in/a", size=7 * MIB)), max_payload_in_mb=7),
    facts(inputs(*found("in/a", size=700 * MIB)), max_payload_in_mb=0),
    facts(inputs(*found("in/a", size=700 * MIB)), split_type="Line"),
    facts(inputs(*found("in/a", size=700 * MIB)), split_type="{{ params.split }}"),
    facts(inputs(*found("in/a", size=9 * MIB)), max_payload_in_mb="{{ params.mb }}"),
    facts(inputs(*found("in/a")), instance_count="{{ params.n }}", instance_type=Later()),
    facts(input=Later(), output="{{ var.value.out }}", content_type=Later()),
    facts(heads=(b"id,age\n1,2\n",), content_type="application/json"),
    facts(heads=(b"1,2\n3,4\n", b"")),
    facts(inputs(*found("in/part-1", "in/part-2"), prefix="in/part-"), input="s3://b/in/part-"),
    facts(inputs(*found("data/a", "data/b/c"), prefix="data"), input="s3://b/data"),
    facts(output_filter="$[0, -1]", assemble_with="Line"),
    facts(output_filter="{{ params.filters[0, 1:] }}", content_type="application/json"),
    facts(input="s3://{{ params.bucket }}/in/", output="s3://{{ params.bucket }}/out/"),
]


@pytest.mark.parametrize("known", FINE, ids=range(len(FINE)))
def test_nothing_is_said_of_what_is_fine(known: Facts) -> None:
    assert problems(known) == ()
    assert doubts(known) == ()


IN, OUT, PAYLOAD = (BY_NAME[name].label for name in ("input", "output", "max_payload_in_mb"))
RERUN = "a rerun would read its own output"
BESIDE = "Write to a prefix of its own, beside the input's."
ELSEWHERE = (
    "Give a control_prefix of its own, such as s3://bucket/control/, in the task, in Airflow's [batchtx] section or as"
    " --control-prefix; in another bucket, where input or output is the whole of this one."
)

# What is known, and what is said of it.
PROBLEMS: list[tuple[Facts, Problem]] = [
    (
        facts(input="s3://b/data", output="s3://b/data-out/"),
        Problem(
            IN,
            "s3://b/data",
            f"takes in the output prefix s3://b/data-out/: {RERUN}",
            "End the prefix with a slash, s3://b/data/, if it is a folder.",
        ),
    ),
    (
        facts(input="s3://b/{{ ds }}/", output="s3://b/{{ ds }}/out/"),
        Problem(
            IN,
            "s3://b/{{ ds }}/",
            f"takes in the output prefix s3://b/{{{{ ds }}}}/out/: {RERUN}",
            "Read from a folder that the output does not lie in.",
        ),
    ),
    *(
        (
            facts(input=source, output="s3://b/in/scored"),
            Problem(
                IN,
                "s3://b/in/",
                f"takes in the output prefix s3://b/in/scored/: {RERUN}",
                "Read from a folder that the output does not lie in.",
            ),
        )
        for source in ("s3://b/in/", ["s3://b/a/", "s3://b/in/"])
    ),
    (
        facts(input="s3://b/in/a.csv", output="s3://b/in"),
        Problem(
            OUT,
            "s3://b/in/",
            "takes in the input s3://b/in/a.csv: input and output would lie in one folder",
            BESIDE,
        ),
    ),
    (
        facts(inputs(*found("out/a"), prefix="out/"), input="s3://b/m.json", s3_data_type="ManifestFile"),
        Problem(
            OUT,
            "s3://b/out/",
            "takes in the input s3://b/out/a: input and output would lie in one folder",
            BESIDE,
        ),
    ),
    (
        facts(data_capture_destination="s3://b/in/captured"),
        Problem(
            IN,
            "s3://b/in/",
            "takes in the prefix of data capture, s3://b/in/captured/: a rerun would read its manifests",
            "Capture to a prefix that the input does not begin.",
        ),
    ),
    (
        replace(facts(input="s3://c/in/"), control=S3Uri("c", "in/control/")),
        Problem(
            "control_prefix",
            "s3://c/in/control/",
            "lies in the input s3://c/in/: a rerun would read the records of job control",
            ELSEWHERE,
        ),
    ),
    (
        facts(input="s3://c/in/", output="s3://b"),
        Problem(
            "control_prefix",
            "s3://b/_batchtx/",
            "lies in the output prefix s3://b/: whoever reads the output would find the records of job control",
            ELSEWHERE,
        ),
    ),
    (
        facts(inputs(*found("in/a", size=0), *found("in/_b"))),
        Problem(
            IN,
            "s3://b/in/",
            "names no object to transform (1 are empty, 1 are left out)",
            "Look at the prefix, and at include and exclude; names in _ and . count only if the prefix says them.",
        ),
    ),
    (
        facts(inputs(*found("in/a", size=6 * MIB + 1)), max_payload_in_mb=6),
        Problem(
            PAYLOAD,
            6,
            "is less than the 6,291,457 bytes (6.0 MB) of s3://b/in/a, which split type None sends whole",
            "Give 7, and at most 14 for max_concurrent_transforms. A split_type would send records instead.",
        ),
    ),
    (
        facts(
            inputs(*found("in/a", "in/b", size=2 * MIB), *found("in/c", size=101 * MIB)),
            max_payload_in_mb="1",
            split_type="None",
        ),
        Problem(
            PAYLOAD,
            1,
            "is less than the 105,906,176 bytes (101.0 MB) of s3://b/in/c, which split type None sends whole;"
            " 2 more are too large",
            "No request may have more than 100 MB; 0 sends chunks, where a model takes them."
            " A split_type would send records instead.",
        ),
    ),
    (
        facts(inputs(*found("in/" + "x" * 1_020))),
        Problem(
            OUT,
            "s3://b/out/",
            "makes an output key of 1028 bytes, more than the 1024 that S3 takes",
            "Give a shorter prefix.",
        ),
    ),
]
DOUBTS: list[tuple[Facts, Problem]] = [
    (
        facts(inputs(*found("data/a", "data2/b", "data.bak/c"), prefix="data"), input="s3://b/data"),
        Problem(
            IN,
            "s3://b/data",
            "takes in what lies beside the folder as well: data.bak, data2",
            "End it with a slash, s3://b/data/, to read the folder alone.",
        ),
    ),
    (
        facts(inputs(*found("in/a", "in/b")), instance_count=5),
        Problem(
            BY_NAME["instance_count"].label,
            5,
            "is more than the 2 input objects: 3 instances get none, and cost the same",
            "Give 2, or cut the input into more objects.",
        ),
    ),
    (
        facts(inputs(*found("in/a", size=7 * MIB))),
        Problem(
            PAYLOAD,
            None,
            "is 6 MB unless the model says otherwise, less than the 7,340,032 bytes (7.0 MB) of s3://b/in/a, which"
            " split type None sends whole",
            "Give 7, and at most 14 for max_concurrent_transforms. A split_type would send records instead.",
        ),
    ),
    (
        facts(heads=(b"1\n", b"x" * (MIB + 1)), max_payload_in_mb=1, split_type="Line"),
        Problem(
            PAYLOAD,
            1,
            "is less than the 1,048,577 bytes (1.0 MB) of a line of the input",
            "Give 2, and at most 50 for max_concurrent_transforms.",
        ),
    ),
    (
        facts(heads=(b"1,2\n3,4\n", b"id,age\n1,2\n")),
        Problem(
            BY_NAME["content_type"].label,
            "text/csv",
            "has no header, but the input seems to begin with one: id,age",
            "The model would take it for a record: take it out, or let a PrepareInputOperator do so.",
        ),
    ),
]


@pytest.mark.parametrize(("known", "problem"), PROBLEMS, ids=range(len(PROBLEMS)))
def test_what_cannot_work_is_told_with_its_way_out(known: Facts, problem: Problem) -> None:
    assert problems(known) == (problem,)


@pytest.mark.parametrize(("known", "doubt"), DOUBTS, ids=range(len(DOUBTS)))
def test_what_looks_wrong_is_a_doubt(known: Facts, doubt: Problem) -> None:
    assert doubts(known) == (doubt,)
    assert problems(known) == ()


def test_problems_of_the_request_and_of_its_data_come_together() -> None:
    request = TransformJob(**{**GOOD, "output": "s3://b/in/scored/"}).to_request()
    put(request, "TransformResources.InstanceCount", "0")
    put(request, "TransformResources.InstanceType", "ml.m9.large")

    known = Facts(request=request)

    assert [problem.field.partition(" ")[0] for problem in problems(known)] == ["instance_count", "input"]
    assert [problem.field.partition(" ")[0] for problem in doubts(known)] == ["instance_type"]


def test_nothing_to_transform_is_one_problem() -> None:
    known = facts(inputs(), instance_count=5)

    assert len(problems(known)) == 1
    assert doubts(known) == ()


def test_a_prepared_input_is_looked_at_with_what_it_brings() -> None:
    prepared = PreparedInput(
        input="s3://b/out/shards/", manifest="s3://b/out/manifest.json", content_type="text/csv", split_type="Line",
        assemble_with="Line", shards=1, rows=1,
    )  # fmt: skip

    known = facts(inputs(*found("in/a", size=9 * MIB)), input=prepared, max_payload_in_mb=1)

    assert [problem.field.partition(" ")[0] for problem in problems(known)] == ["output"]


STEPS = sorted({step for member in MEMBERS for step in member.path.split(".")})
NONSENSE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "s3://b/in/", "$[0,1:]", "None", "Line", "{{ x }}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(STEPS), inner, max_size=5),
)


@given(st.fixed_dictionaries({}, optional={member.name: NONSENSE for member in MEMBERS}))
@pytest.mark.filterwarnings("ignore::airflow_batchtx.spec.job.UnknownToThisVersion")
def test_nonsense_is_told_and_never_crashes(values: dict[str, Any]) -> None:
    request: dict[str, Any] = {}
    for name, value in values.items():
        put(request, BY_NAME[name].path, value)
    known = Facts(request=request, inputs=inputs(*found("in/a")), control=CONTROL, heads=(b"a\n1\n",))

    assert all(str(problem) for problem in (*problems(known), *doubts(known)))


NAMES = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=2).map("/".join)
FOLDERS = NAMES.map(lambda name: f"{name}/")


@given(NAMES | FOLDERS, FOLDERS, st.lists(NAMES, min_size=1, max_size=4))
def test_without_a_problem_no_rerun_reads_what_a_job_wrote(prefix: str, output: str, keys: list[str]) -> None:
    """The model of the rules on places: list the input again when its outputs and the records of control are there."""
    source, target = S3Uri("b", prefix), S3Uri("b", output)
    first = select([source], found(*(key for key in keys if key.startswith(prefix))))
    outputs = [output_of(one.uri.key[len(first.base.key) :], target) for one in first.chosen]
    known = Facts(request=TransformJob(**{**GOOD, "input": str(source), "output": str(target)}).to_request())

    if not problems(known):
        assert not any(source.covers(one) for one in outputs)
        assert not any(target.covers(one.uri) for one in first.chosen)


@given(st.lists(st.integers(0, 12 * MIB), max_size=5), st.integers(0, 12), st.sampled_from(["None", "Line", None]))
def test_whole_objects_fit_or_are_refused(sizes: list[int], payload: int, split: str | None) -> None:
    objects = [Found(S3Uri("b", f"in/{number}"), size, "") for number, size in enumerate(sizes)]
    known = facts(inputs(*objects), max_payload_in_mb=payload, split_type=split)

    refused = any(problem.field.startswith("max_payload_in_mb") for problem in problems(known))

    assert refused == (split != "Line" and payload > 0 and any(size > payload * MIB for size in sizes))
