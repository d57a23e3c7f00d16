"""A traced stream offers what LiteLLM's stream offers, for each class of streams: no more, no less."""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import copy
import inspect
import numbers
import operator
import os
import pickle
import re
import types
import typing
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import litellm
import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

from agentops_otel_litellm.invocation.stream_proxy import TracedStream, unwrapped
from support.api_caller import ApiCaller
from support.recorder import Recorder
from support.servers.openai_provider import OpenAIProvider
from support.servers.wire import Reply, events
from support.wire_formats import PATHS, response_events

Profile = dict[str, object]
CHUNK: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
CHAT = events(
    {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": None}]},
    {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    "[DONE]",
)
TEXT = events(
    {"id": "t", "object": "text_completion", "created": 1, "model": "m", "choices": [{"text": "hi", "index": 0}]},
    "[DONE]",
)
MESSAGE = events(
    {
        "type": "message_start",
        "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "c"},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
    names=True,
)
GOOGLE = events({"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "index": 0}]})
MESSAGES = [{"role": "user", "content": "hello"}]
# The function, its parameters, the end of the path, and what the provider sends.
STREAMS: dict[str, tuple[str, dict[str, Any], str, list[bytes]]] = {
    "chat": ("completion", {"model": "openai/gpt-4o", "messages": MESSAGES, "stream": True}, "/chat/completions", CHAT),
    "text": ("text_completion", {"model": "openai/t", "prompt": "a", "stream": True}, "completions", TEXT),
    "responses": (
        "responses",
        {"model": "openai/gpt-4o", "input": "a", "stream": True},
        "/responses",
        response_events(),
    ),
    "responses of a chat": (
        "responses",
        {"model": "deepseek/chat", "input": "a", "stream": True},
        "/chat/completions",
        CHAT,
    ),
    "messages": (
        "messages",
        {"model": "anthropic/claude-sonnet-4-6", "messages": MESSAGES, "max_tokens": 9, "stream": True},
        PATHS["messages"],
        MESSAGE,
    ),
    "messages of a chat": (
        "messages",
        {"model": "openai/gpt-4o", "messages": MESSAGES, "max_tokens": 9, "stream": True},
        "",
        CHAT,
    ),
    "Google's": (
        "generate_content_stream",
        {"model": "gemini/gemini-2.5-flash", "contents": [{"role": "user", "parts": [{"text": "a"}]}]},
        "",
        GOOGLE,
    ),
    "Google's of a chat": (
        "generate_content_stream",
        {"model": "openai/gpt-4o", "contents": [{"role": "user", "parts": [{"text": "a"}]}]},
        "/chat/completions",
        CHAT,
    ),
}
ABSTRACT = {
    f"{module.__name__}.{name}": kind
    for module in (collections.abc, numbers, contextlib, typing, os)
    for name, kind in sorted(vars(module).items())
    if isinstance(kind, type) and (inspect.isabstract(kind) or getattr(kind, "_is_runtime_protocol", False))
    if name != "ByteString"  # deprecated: Python 3.12 warns of a check with it
}
CONCRETE = {name: kind for name, kind in vars(types).items() if isinstance(kind, type)}


def with_one(operation: Callable[[Any, int], object], stream: object) -> object:
    return operation(stream, 1)


def set_and_delete(stream: Any) -> object:  # noqa: ANN401 - any stream
    stream.of_the_app = 1
    known = stream.of_the_app
    del stream.of_the_app
    return known


def enter(stream: Any) -> None:  # noqa: ANN401 - any stream
    with stream:
        pass


OPERATIONS: dict[str, Callable[[Any], object]] = {
    **{name: getattr(operator, name) for name in ("neg", "pos", "abs", "invert", "index", "not_", "truth")},
    **{kind.__name__: kind for kind in (len, bool, int, float, complex, bytes, reversed, hash, round)},
    **{
        f"{name} 1": partial(with_one, getattr(operator, name))
        for name in ("add", "mul", "pow", "lt", "ge", "eq", "ne", "getitem", "delitem", "iadd", "matmul")
    },
    "1 +": lambda stream: 1 + stream,
    "equal to itself": lambda stream: stream == stream,  # noqa: PLR0124 - the subject
    "str": str,
    "repr": repr,
    "format": lambda stream: f"{stream:>3}",
    "with": enter,
    "exit stack": lambda stream: contextlib.ExitStack().enter_context(stream),
    "call": lambda stream: stream(),
    "fspath": os.fspath,
    "weakref": lambda stream: type(weakref.ref(stream)).__name__,
    "iter": lambda stream: iter(stream) is stream,
    "aiter": lambda stream: aiter(stream) is stream,
    "next of an asynchronous one": lambda stream: None if hasattr(stream, "__next__") else next(stream),
    "length hint": operator.length_hint,
    "pickle": lambda stream: len(pickle.dumps(stream)) > 0,
    "pickle 0": lambda stream: len(pickle.dumps(stream, 0)) > 0,
    "deepcopy": copy.deepcopy,
    "copy": lambda stream: copy.copy(stream).__class__.__name__,
    "missing attribute": lambda stream: stream.no_such_attribute,
    "vars": lambda stream: sorted(vars(stream)),
    "dir": dir,
    "doc": lambda stream: stream.__doc__,
    "module": lambda stream: (stream.__module__, type(stream).__module__),
    "name": lambda stream: (type(stream).__name__, type(stream).__qualname__),
    "wrapped": lambda stream: (hasattr(stream, "__wrapped__"), inspect.unwrap(stream) is stream),
    "set": set_and_delete,
    "delete": lambda stream: delattr(stream, "no_such_attribute"),
    "generator": lambda stream: (inspect.isgenerator(stream), inspect.isasyncgen(stream), inspect.isawaitable(stream)),
    "callable": callable,
    "contains": lambda stream: 1 in stream,
}
SPECIAL = sorted(
    {
        name
        for kind in (int, list, dict, set, types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType)
        for name in dir(kind)
        if name.startswith("__")
    }
    | {"__enter__", "__exit__", "__aenter__", "__aexit__", "__copy__", "__deepcopy__", "__del__", "__weakref__"}
)


def tried(operation: Callable[[Any], object], stream: object) -> object:
    """The result, or the exception's type and text, without what differs between any two streams."""
    try:
        result: object = operation(stream)
    except Exception as error:  # noqa: BLE001 - the subject
        result = (type(error).__name__, str(error))
    if not isinstance(result, bool | int | str | tuple | list | None):
        result = type(result).__name__
    told = repr(result).replace("doesn't", "does not")  # Python says it one way of classes, the other way of C types
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f-]{36}\b|\b\d{6,}\b", "#", told)


def profile(stream: object) -> Profile:
    """All that a stream offers. What reads it comes last."""
    offered: Profile = {f"isinstance {name}": isinstance(stream, kind) for name, kind in (ABSTRACT | CONCRETE).items()}
    offered |= {f"has {name}": hasattr(stream, name) for name in SPECIAL}
    offered |= {name: tried(operation, stream) for name, operation in OPERATIONS.items()}
    return offered


def offered(api: ApiCaller, function: str, parameters: dict[str, Any], *, traced: bool) -> Profile:
    """What the stream offers that a function returns."""

    async def play() -> Profile:
        stream = api.start(function, **parameters)
        stream = await stream if inspect.isawaitable(stream) else stream
        assert issubclass(type(stream), TracedStream) is traced
        assert isinstance(stream, type(unwrapped(stream)))
        return profile(stream)

    return asyncio.run(play())


@pytest.mark.parametrize("name", STREAMS)
def test_a_traced_stream_offers_the_same(name: str, api: ApiCaller, telemetry: Recorder) -> None:
    """Every abstract class, operator and attribute: the same result, or the same exception with the same text."""
    function, parameters, path, pieces = STREAMS[name]
    if function == "messages" and not api.asynchronous:
        pytest.skip("LiteLLM calls Anthropic asynchronously only")
    api.wire.reply(path, Reply(pieces=pieces))
    with suppress_instrumentation():
        without = offered(api, function, parameters, traced=False)
    seen = offered(api, function, parameters, traced=True)
    assert {key: (without[key], seen[key]) for key in without if without[key] != seen[key]} == {}
    assert telemetry.spans()


def test_a_routers_stream_offers_the_same(provider: OpenAIProvider, telemetry: Recorder) -> None:
    """The Router wraps streams in classes of its own."""
    router = litellm.Router(
        [
            {
                "model_name": "g",
                "litellm_params": {"model": "openai/gpt-4o", "api_key": "x", "api_base": provider.base_url},
            }
        ]
    )

    async def play(*, asynchronous: bool) -> Profile:
        called: Any = router.acompletion if asynchronous else router.completion
        stream = called("g", MESSAGES, stream=True)
        return profile(await stream if inspect.isawaitable(stream) else stream)

    for asynchronous in (False, True):
        with suppress_instrumentation():
            without = asyncio.run(play(asynchronous=asynchronous))
        seen = asyncio.run(play(asynchronous=asynchronous))
        assert {key: (without[key], seen[key]) for key in without if without[key] != seen[key]} == {}
    assert telemetry.spans()
