"""A job's logs, against a client that is handed in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batchtx.errors import LogsUnavailable, ServiceUnavailable
from airflow_batchtx.sagemaker.joblogs import JobLogs, LogLine
from tests.fake_logs import INSTANCE, FakeLogs
from tests.fake_sagemaker import CREATED, refusal

STREAM = f"nightly/{INSTANCE}"


def throttled(operation: str = "GetLogEvents") -> Exception:
    return refusal(operation, "ThrottlingException", "Rate exceeded")


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


@pytest.fixture
def fake() -> FakeLogs:
    return FakeLogs()


def test_streams_are_those_of_the_job_and_of_no_other(fake: FakeLogs) -> None:
    names = sorted(f"nightly/i-{number:03}" for number in range(120))
    for name in [*names, "nightly-2/i-000", "night/i-000"]:
        fake.add(name)

    assert JobLogs(fake).streams("nightly") == names


def test_before_a_job_has_logs_there_are_no_lines(fake: FakeLogs) -> None:
    logs = JobLogs(fake)

    assert (logs.streams("nightly"), logs.data_log("nightly", limit=9), logs.tail("nightly").lines()) == ([], [], [])
    assert logs.container_log("nightly", limit=9) == []


def test_a_line_tells_its_stream_instance_and_time(fake: FakeLogs) -> None:
    fake.add(f"{STREAM}/data-log", "said")

    (line,) = JobLogs(fake).data_log("nightly", limit=9)

    assert line == LogLine(f"{STREAM}/data-log", CREATED, "said")
    assert line.instance == INSTANCE


@pytest.mark.parametrize("empty_pages", [0, 3])
def test_the_data_log_is_read_from_its_first_line(empty_pages: int) -> None:
    fake = FakeLogs(empty_pages)
    fake.add(f"{STREAM}/data-log", *map(str, range(10)))
    fake.add(STREAM, "printed")

    assert texts(JobLogs(fake).data_log("nightly", limit=100)) == [str(number) for number in range(10)]
    assert texts(JobLogs(fake).data_log("nightly", limit=3)) == ["0", "1", "2"]


def test_what_one_instance_does_not_need_of_the_limit_is_the_others(fake: FakeLogs) -> None:
    fake.add("nightly/i-1/data-log", "1")
    fake.add("nightly/i-2/data-log", *"2" * 50)
    fake.add("nightly/i-3/data-log", *"3" * 50)

    found = texts(JobLogs(fake).data_log("nightly", limit=21))

    assert [found.count(text) for text in "123"] == [1, 10, 10]


def test_of_many_instances_every_data_log_and_some_containers_are_read(fake: FakeLogs) -> None:
    for number in range(100):
        fake.add(f"nightly/i-{number:02}/data-log", *"x" * 100)
        fake.add(f"nightly/i-{number:02}", *"x" * 100)
    logs = JobLogs(fake)

    said = logs.data_log("nightly", limit=1_000)
    reading = len(fake.calls)
    printed = logs.container_log("nightly", limit=1_000)

    assert len({line.instance for line in said}) == 100
    assert len(said) == 1_000
    assert reading < 250
    assert len(printed) <= 1_000
    assert len(fake.calls) - reading < 50


def test_a_data_log_of_very_long_lines_is_read_in_part(fake: FakeLogs) -> None:
    for number in range(3):
        fake.add(f"nightly/i-{number}/data-log", *["x" * 100_000] * 100)

    found = JobLogs(fake).data_log("nightly", limit=1_000)

    assert 0 < sum(len(text) for text in texts(found)) < 12_000_000
    assert {line.instance for line in found} == {"i-0"}


def test_containers_are_read_from_their_ends(fake: FakeLogs) -> None:
    fake.add("nightly/i-1", *map(str, range(10)))
    fake.add("nightly/i-2/first", "a", "b")
    fake.add("nightly/i-2/second", "c")
    fake.add("nightly/i-2/data-log", "no print")
    logs = JobLogs(fake)

    assert texts(logs.container_log("nightly", limit=6)) == ["8", "9", "a", "b", "c"]
    assert texts(logs.container_log("nightly", limit=6, instances=["i-2"])) == ["a", "b", "c"]
    assert texts(logs.container_log("nightly", limit=3, instances=["i-7"])) == ["9", "b", "c"]
    assert texts(logs.container_log("nightly", limit=1)) == ["c"]


@pytest.mark.parametrize("operation", ["DescribeLogStreams", "GetLogEvents"])
def test_what_may_not_be_read_is_told_from_what_cannot_be_read_now(fake: FakeLogs, operation: str) -> None:
    fake.add(f"{STREAM}/data-log", "said")
    fake.trouble[operation] = [throttled(operation)]

    with pytest.raises(ServiceUnavailable):
        JobLogs(fake).data_log("nightly", limit=9)
    fake.denied = {operation}
    with pytest.raises(LogsUnavailable) as caught:
        JobLogs(fake).data_log("nightly", limit=9)

    assert (caught.value.job_name, caught.value.code) == ("nightly", "AccessDeniedException")


# ------------------------------------------------------------------------------------------------------ following


def test_a_tail_gives_each_line_once_and_new_streams_as_they_come(fake: FakeLogs) -> None:
    tail = JobLogs(fake).tail("nightly")

    fake.add(STREAM, "a", "b")
    assert texts(tail.lines()) == ["a", "b"]
    assert tail.lines() == []
    fake.add(STREAM, "c")
    fake.add(f"{STREAM}/data-log", "d", at=[7])
    assert texts(tail.lines()) == ["c", "d"]


def test_lines_of_several_streams_come_in_the_order_of_their_times(fake: FakeLogs) -> None:
    fake.add("nightly/i-1", "a", "c", "e", at=[0, 20, 40])
    fake.add("nightly/i-2", "b", "d", "f", at=[10, 30, 50])

    assert texts(JobLogs(fake).tail("nightly").lines()) == list("abcdef")


def test_a_call_is_bounded_and_the_next_goes_on(fake: FakeLogs) -> None:
    fake.add("nightly/i-1", *map(str, range(0, 5_000, 2)), at=range(0, 5_000, 2))
    fake.add("nightly/i-2", *map(str, range(1, 5_000, 2)), at=range(1, 5_000, 2))
    tail = JobLogs(fake).tail("nightly")

    calls = iter(lambda: tail.lines(limit=300), [])
    pieces = [texts(lines) for lines in calls]

    assert max(map(len, pieces)) <= 300
    assert [int(text) for piece in pieces for text in piece] == list(range(5_000))


def test_a_job_of_many_instances_costs_few_calls_at_a_time(fake: FakeLogs) -> None:
    for number in range(200):
        fake.add(f"nightly/i-{number}", "hello")
    tail = JobLogs(fake).tail("nightly")

    found, most = [], 0
    for _ in range(10):
        before = len(fake.calls)
        found += tail.lines()
        most = max(most, len(fake.calls) - before)

    assert len({line.stream for line in found}) == len(found) == 200
    assert most < 50


def test_a_throttled_tail_goes_on_with_the_next_call(fake: FakeLogs) -> None:
    fake.add("nightly/i-1", "a")
    fake.add("nightly/i-2", "b")
    fake.trouble["GetLogEvents"] = [throttled()]
    fake.trouble["DescribeLogStreams"] = [throttled("DescribeLogStreams")]
    tail = JobLogs(fake).tail("nightly")

    assert [texts(tail.lines()) for _ in range(4)] == [[], [], ["a", "b"], []]


def test_a_tail_that_is_denied_says_so_once(fake: FakeLogs) -> None:
    fake.add(STREAM, "a")
    tail = JobLogs(fake).tail("nightly")
    first = texts(tail.lines())
    fake.add(STREAM, "b")
    fake.denied = {"GetLogEvents"}

    with pytest.raises(LogsUnavailable):
        tail.lines()
    calls = len(fake.calls)

    assert first == ["a"]
    assert tail.lines() == []
    assert len(fake.calls) == calls


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 2), st.integers(1, 40), st.integers(0, 3)),
        st.tuples(st.just("throttle"), st.sampled_from(["DescribeLogStreams", "GetLogEvents"])),
        st.tuples(st.just("look"), st.integers(1, 30)),
    ),
    max_size=40,
)


@given(steps=steps, empty_pages=st.integers(0, 2))
def test_whatever_happens_every_line_comes_once_and_in_order(steps: list[tuple[object, ...]], empty_pages: int) -> None:
    fake = FakeLogs(empty_pages)
    tail = JobLogs(fake).tail("nightly")
    written: dict[str, list[str]] = {}
    clock, found = 0, []
    for step in steps:
        match step:
            case ("add", int(number), int(count), int(pace)):
                held = written.setdefault(stream := f"nightly/i-{number}", [])
                new = [f"{number}:{len(held) + at}" for at in range(count)]
                fake.add(stream, *new, at=[clock + at * pace for at in range(count)])
                held += new
                clock += count * pace
            case ("throttle", str(operation)):
                fake.trouble[operation].append(throttled(operation))
            case ("look", int(limit)):
                lines = tail.lines(limit)
                assert len(lines) <= limit
                assert [line.time for line in lines] == sorted(line.time for line in lines)
                found += lines
    fake.trouble.clear()
    while lines := tail.lines():
        found += lines

    for stream, expected in written.items():
        assert [line.text for line in found if line.stream == stream] == expected
    assert len(found) == sum(map(len, written.values()))
