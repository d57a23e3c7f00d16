"""A traced stream has the same methods as the stream that it wraps, no more and no fewer."""

from __future__ import annotations

import asyncio
import collections.abc
import copy
import itertools
import re
import weakref
from typing import Any

import pytest

from support.instrumented import Trace
from support.recorder import Recorder, attributes_of
from support.servers.openai_provider import OpenAIProvider


class FullStream:
    """A stream with special methods that none of LiteLLM's streams has."""

    def __init__(self) -> None:
        self.items = [1, 2, 3]
        self.log: list[str] = []

    def __iter__(self) -> FullStream:
        return self

    def __next__(self) -> int:
        if not self.items:
            raise StopIteration
        return self.items.pop(0)

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        return False

    def __contains__(self, item: object) -> bool:
        return item in self.items

    def __getitem__(self, index: int) -> int:
        return self.items[index]

    def __iadd__(self, other: int) -> FullStream:  # noqa: PYI034 - it returns itself
        self.items.append(other)
        return self

    def __radd__(self, other: int) -> int:
        return other + 100

    def __call__(self, word: str) -> str:
        return word * 2

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FullStream) and other.items == self.items

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "all of it"


class HashableStream(FullStream):
    """A stream with all special methods that is hashable and has its own `__copy__`."""

    def __hash__(self) -> int:  # type: ignore[override]  # the base class has none
        return 7

    def __copy__(self) -> HashableStream:
        copied = HashableStream()
        copied.log = ["copied"]
        return copied


def test_special_methods_are_forwarded(trace: Trace) -> None:
    """A custom provider's stream may have any of them."""
    stream = trace(FullStream())
    assert (len(stream), bool(stream), 2 in stream, stream[0], 1 + stream, stream("a")) == (
        3,
        False,
        True,
        1,
        101,
        "aa",
    )
    same = stream
    same += 4
    assert same is stream
    assert stream.items == [1, 2, 3, 4]
    assert stream == FullStream.__iadd__(FullStream(), 4)
    assert stream == trace(FullStream.__iadd__(FullStream(), 4))
    assert f"{stream!r} {stream}" == "all of it all of it"
    assert not isinstance(stream, collections.abc.Hashable)
    with pytest.raises(TypeError, match=re.escape("unhashable type: 'FullStream'")):
        hash(stream)
    assert {trace(HashableStream()): 1}[HashableStream()] == 1


def outcomes(telemetry: Recorder) -> list[object]:
    return [attributes_of(span)["llm.response.stream_outcome"] for span in telemetry.spans()]


def test_a_copy_shares_the_call(trace: Trace, telemetry: Recorder) -> None:
    """The span ends once, when the last of the stream and its copies has ended."""
    stream = trace(HashableStream())
    copied = copy.copy(stream)
    assert isinstance(copied, HashableStream)
    assert copied.log == ["copied"]
    assert next(stream) == next(copied) == 1
    del stream
    assert telemetry.spans() == []
    assert list(copied) == [2, 3]
    assert outcomes(telemetry) == ["completed"]


def test_the_last_copy_that_is_dropped_ends_the_span(trace: Trace, telemetry: Recorder) -> None:
    stream = trace(HashableStream())
    copied = copy.copy(stream)
    next(copied)
    del stream
    assert telemetry.spans() == []
    del copied
    assert outcomes(telemetry) == ["abandoned"]


def test_tee_reads_the_traced_stream(trace: Trace, telemetry: Recorder) -> None:
    """`itertools.tee` works as without tracing, and its chunks are recorded."""
    first, second = itertools.tee(trace(FullStream()))
    assert (list(first), list(second)) == ([1, 2, 3], [1, 2, 3])
    (span,) = telemetry.spans()
    assert attributes_of(span)["llm.response.chunk_count"] == 3


def test_a_generator_that_is_sent_values_is_recorded(trace: Trace, telemetry: Recorder) -> None:
    """`send` and `throw` return chunks, as `next` does."""

    def echoing() -> Any:  # noqa: ANN401 - a generator
        received: object = "begin"
        while received != "end":
            try:
                received = yield received
            except KeyError as error:  # noqa: PERF203 - the subject
                received = str(error)

    stream = trace(echoing())
    assert [next(stream), stream.send("a"), stream.throw(KeyError("b"))] == ["begin", "a", "'b'"]
    with pytest.raises(StopIteration):
        stream.send("end")
    (span,) = telemetry.spans()
    assert attributes_of(span)["llm.response.chunk_count"] == 3
    assert outcomes(telemetry) == ["completed"]


def test_an_asynchronous_generator_that_is_sent_values_is_recorded(trace: Trace, telemetry: Recorder) -> None:
    async def echoing() -> Any:  # noqa: ANN401 - a generator
        received: object = "begin"
        while received != "end":
            received = yield received

    async def scenario() -> list[object]:
        stream = trace(echoing())
        received = [await stream.__anext__(), await stream.asend("a")]
        with pytest.raises(StopAsyncIteration):
            await stream.asend("end")
        return received

    assert asyncio.run(scenario()) == ["begin", "a"]
    assert outcomes(telemetry) == ["completed"]


def test_local_stream_classes_are_released(trace: Trace, provider: OpenAIProvider) -> None:
    """LiteLLM's Router defines a class for each call, and none of them must be kept alive."""
    kinds: list[weakref.ref[type]] = []
    for _ in range(400):

        class Local(HashableStream):
            """One of many."""

        kinds.append(weakref.ref(Local))
        list(trace(Local()))
        del Local
    import gc

    gc.collect()
    assert sum(kind() is not None for kind in kinds) <= 1
    assert provider.ledger == []
