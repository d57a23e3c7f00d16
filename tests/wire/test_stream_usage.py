"""AGENTOPS_STREAM_USAGE: streams are counted where the app did not ask for it, and the app sees no difference.

What it would see is what it does see where the setting is off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, cast

import litellm
import pytest
from litellm import Router
from opentelemetry.instrumentation.utils import suppress_instrumentation

from agentops_otel_litellm.patching.stream_usage import STREAM_USAGE
from support import releases
from support.apps import App
from support.expected import tokens
from support.instrumented import Reinstrument
from support.providers import PROVIDERS, chat_parameters
from support.recorder import Attributes, Recorder
from support.servers import wires
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.wire import Reply, WireProvider
from support.servers.wires import Completion

OPERATIONS = ("completion", "text_completion")
ASKED = {"include_usage": True}
TOKEN_METRIC = "gen_ai.client.token.usage"


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Switches the setting on, from then on."""
    return lambda: monkeypatch.setattr(STREAM_USAGE, "wanted", True)


def seen(chunks: list[Any]) -> list[object]:
    """What an app sees of a stream's chunks, but for what differs from one call to the next."""
    return [(type(chunk), {**chunk.model_dump(), "id": None, "created": None}) for chunk in chunks]


def of_usage(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if name.startswith(("gen_ai.usage", "llm.usage"))}


def without_price(attributes: Attributes) -> Attributes:
    return {name: value for name, value in of_usage(attributes).items() if "cost" not in name}


def options(provider: OpenAIProvider) -> list[object]:
    """What the server was told of the stream, with each request."""
    return [exchange.body.get("stream_options") for exchange in provider.ledger]


SCRIPTS = {
    "text": (Script(), {}),
    "choices": (Script(), {"n": 2}),
    "tool calls": (Script(content=(), tool_calls=(("1", "weather", ('{"city": ', '"Rome"}')),)), {}),
    "nothing": (Script(content=()), {}),
    "a limit": (Script(finish_reason="length", system_fingerprint="fp_1"), {}),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("script", "parameters"), SCRIPTS.values(), ids=SCRIPTS.keys())
def test_the_stream_is_counted_and_the_same(  # noqa: PLR0913, PLR0917 - fixtures and cases
    app: App,
    provider: OpenAIProvider,
    telemetry: Recorder,
    wanted: Callable[[], None],
    operation: str,
    script: Script,
    parameters: dict[str, object],
) -> None:
    """The server is asked and its count is told; the chunks, and what LiteLLM rebuilds of them, are what they were."""
    if operation == "text_completion":
        script = replace(script, tool_calls=())
    provider.script(script)
    plain = app.read(operation, **parameters)
    assert without_price(telemetry.attributes()) == {}
    telemetry.forget()
    wanted()
    chunks = app.read(operation, **parameters)
    assert seen(chunks) == seen(plain)
    assert options(provider) == [None, ASKED]
    assert without_price(telemetry.attributes()) == tokens(provider.ledger[1])
    assert len(telemetry.spans()) == 1
    metered = {str(point.attributes["gen_ai.token.type"]): point.sum for point in telemetry.points(TOKEN_METRIC)}
    usage = cast("dict[str, int]", provider.ledger[1].usage)
    assert metered == {"input": usage["prompt_tokens"], "output": usage["completion_tokens"]}
    rebuilt, before = (cast("Any", litellm.stream_chunk_builder(deepcopy(each))) for each in (chunks, plain))
    assert rebuilt.choices == before.choices
    if operation == "completion" and releases.STREAMS_KEEP_COUNTS:  # where LiteLLM would have had an estimate
        assert (rebuilt.usage.prompt_tokens, rebuilt.usage.completion_tokens) == (metered["input"], metered["output"])


def test_a_stream_that_is_counted_is_priced(
    app: App, provider: OpenAIProvider, telemetry: Recorder, wanted: Callable[[], None]
) -> None:
    """What a plain call costs a stream costs."""
    plain = app.ask()
    telemetry.forget()
    wanted()
    app.read()
    cost = plain._hidden_params["response_cost"]
    assert telemetry.attributes()["agentops.cost.total"] == pytest.approx(cost, abs=1e-12)
    assert options(provider) == [None, ASKED]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("given", [{"include_usage": False}, {"include_usage": True}, {}], ids=["no", "yes", "neither"])
def test_what_the_app_says_stands(  # noqa: PLR0913, PLR0917 - fixtures and cases
    app: App,
    provider: OpenAIProvider,
    telemetry: Recorder,
    wanted: Callable[[], None],
    operation: str,
    given: dict[str, object],
) -> None:
    """An app with options of its own is left alone, and they are not changed."""
    before = deepcopy(given)
    plain = app.read(operation, stream_options=given)
    wanted()
    assert seen(app.read(operation, stream_options=given)) == seen(plain)
    assert given == before
    first, second = options(provider)
    assert first == second
    assert len(telemetry.spans()) == 2


def test_the_arguments_of_the_app_stay_as_they_are(
    app: App, provider: OpenAIProvider, telemetry: Recorder, wanted: Callable[[], None]
) -> None:
    """Of what the app passes nothing is changed, and nothing is added."""
    wanted()
    metadata: dict[str, object] = {"trace_name": "mine"}
    given: dict[str, Any] = {"metadata": metadata, "optional": None}
    app.read(**given)
    assert given == {"metadata": metadata, "optional": None}
    assert "stream_options" not in str(metadata)
    assert options(provider) == [ASKED]
    assert telemetry.attributes()["gen_ai.usage.input_tokens"] == 11


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_no_stream_is_not_asked(
    app: App, provider: OpenAIProvider, telemetry: Recorder, wanted: Callable[[], None], operation: str
) -> None:
    """A plain call is counted as ever."""
    wanted()
    app.ask(operation)
    assert options(provider) == [None]
    assert len(telemetry.spans()) == 1


def test_a_stream_that_is_left_early(
    app: App, provider: OpenAIProvider, telemetry: Recorder, wanted: Callable[[], None]
) -> None:
    """What was asked for and did not come is not known."""

    async def scenario() -> None:
        await app.next(await app.stream())

    wanted()
    app.run(scenario())
    attributes = telemetry.attributes()
    assert attributes["llm.response.stream_outcome"] == "abandoned"
    assert of_usage(attributes) == {}
    assert options(provider) == [ASKED]


def test_a_routed_stream(
    app: App, provider: OpenAIProvider, telemetry: Recorder, wanted: Callable[[], None], restored_callbacks: None
) -> None:
    """The Router's streams are counted too: that of a fallback, after an attempt that failed."""
    del restored_callbacks
    deployments = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_base": provider.base_url, "api_key": "sk-test"},
        }
        for name in ("gpt-4o", "gpt-4o-mini")
    ]
    routed = Router(
        model_list=cast("Any", deployments),
        fallbacks=[{"gpt-4o": ["gpt-4o-mini"]}],
        num_retries=0,
        disable_cooldowns=True,
    )

    async def scenario() -> list[Any]:
        parameters: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi."}]}
        function = getattr(routed, app.name("completion"))
        stream = function(**parameters, stream=True)
        if app.style == "async":
            stream = await stream
        return await app.rest(stream)

    refusal = Script(status=500)
    provider.scripts([refusal, Script(), refusal, Script()])
    plain = app.run(scenario())
    telemetry.forget()
    wanted()
    assert seen(app.run(scenario())) == seen(plain)
    *_, exchange = provider.ledger
    assert options(provider) == [None, None, ASKED, ASKED]
    (answered,) = (span for span in telemetry.spans() if "gen_ai.usage.input_tokens" in (span.attributes or {}))
    assert without_price(dict(answered.attributes or {})) == tokens(exchange)


def test_the_variable_switches_it_on(
    app: App, provider: OpenAIProvider, telemetry: Recorder, instrumented_with: Reinstrument
) -> None:
    """Unless the variable says so, nothing is asked, and once that is no longer instrumented nothing is any more."""
    app.read()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AGENTOPS_STREAM_USAGE", "true")
        with instrumented_with(Recorder()) as recorder:
            environment.undo()
            app.read()
            assert recorder.attributes()["gen_ai.usage.input_tokens"] == 11
    app.read()
    assert options(provider) == [None, ASKED, None]
    assert len(telemetry.spans()) == 2


def test_a_suppressed_stream_is_not_asked(
    app: App, provider: OpenAIProvider, telemetry: Recorder, wanted: Callable[[], None]
) -> None:
    """What is not observed is not changed."""
    wanted()
    with suppress_instrumentation():
        app.read()
    assert options(provider) == [None]
    assert telemetry.spans() == []


def test_what_litellm_asks_by_itself_is_shown_as_ever(
    wire: WireProvider, telemetry: Recorder, wanted: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of OpenAI itself LiteLLM wants every stream counted, and shows the count: the app may build on that."""
    from litellm.llms.openai import openai

    name = "is_openai_backed_api_base"
    if not hasattr(openai, name):
        pytest.skip("this LiteLLM compares addresses in place")
    monkeypatch.setattr(openai, name, lambda _url: True)
    row = PROVIDERS["openai"]
    wire.reply(*row.wire.stream)

    def read() -> list[Any]:
        return list(litellm.completion(**cast("Any", chat_parameters(wire, row)), stream=True))

    plain = read()
    assert plain[-1].usage is not None
    wanted()
    assert seen(read()) == seen(plain)
    assert [exchange.body["stream_options"] for exchange in wire.ledger] == [ASKED, ASKED]
    assert len(telemetry.spans()) == 2


# --- providers --------------------------------------------------------------------------------------------

CHATS = ("openai", "one like OpenAI", "azure", "deepseek", "groq", "xai", "huggingface")
"""Those whose API has the option, as LiteLLM knows it."""


def uncounted(reply: Reply) -> Reply:
    """A stream without what came of the option."""
    assert reply.pieces is not None
    return replace(reply, pieces=[piece for piece in reply.pieces if b'"choices": [], "usage"' not in piece])


@pytest.mark.parametrize("name", PROVIDERS)
def test_only_who_supports_it_is_asked(
    app: App, wire: WireProvider, telemetry: Recorder, wanted: Callable[[], None], name: str
) -> None:
    """Providers that have the option get it; the others' requests and streams are what they were."""
    row = PROVIDERS[name]
    path, counted = row.wire.stream

    async def scenario() -> list[Any]:
        stream = await app.invoke("completion", **chat_parameters(wire, row), stream=True)
        assert isinstance(stream, litellm.CustomStreamWrapper)
        return await app.rest(stream)

    wire.reply_once(path, uncounted(counted))
    wire.reply(path, counted)
    plain = app.run(scenario())
    telemetry.forget()
    wanted()
    assert seen(app.run(scenario())) == seen(plain)
    first, second = (exchange.body for exchange in wire.ledger if exchange.path.endswith(path))
    assert "stream_options" not in first
    assert second == (first | {"stream_options": ASKED} if name in CHATS else first)
    counts: Mapping[str, int] = row.wire.tokens
    if name != "cohere":  # LiteLLM does not see the end of its streams
        attributes = telemetry.attributes()
        assert attributes["gen_ai.usage.input_tokens"] == counts["input"]
        assert attributes["gen_ai.usage.output_tokens"] == counts["output"]
    assert len(telemetry.spans()) == 1


def test_a_translated_stream_is_asked_as_litellm_does(
    app: App, wire: WireProvider, telemetry: Recorder, wanted: Callable[[], None]
) -> None:
    """Where LiteLLM makes a chat of a call of the Responses API, it asks by itself; that is left alone."""
    said = Completion(model="grok-4-0709")
    wire.reply(*wires.openai(said).stream)
    wanted()

    async def scenario() -> list[Any]:
        stream = await app.invoke(
            "responses", model="huggingface/our-model", input="Hi.", api_base=wire.url, api_key="sk", stream=True
        )
        return await app.rest(cast("Any", stream))

    last = app.run(scenario())[-1]
    assert last.response.usage.input_tokens == said.input
    assert [exchange.body["stream_options"] for exchange in wire.ledger] == [ASKED]
    assert telemetry.attributes()["gen_ai.usage.input_tokens"] == said.input
