"""One trace from an application through the real LiteLLM proxy to the provider (docs/proxy.md): `tox -e proxy`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from support.launching import launch
from support.proxy import KEY, Proxy, is_installed, running_proxy
from support.servers.openai_provider import OpenAIProvider, Script
from support.servers.otlp_receiver import OTLPReceiver, ReceivedSpan

pytestmark = pytest.mark.skipif(not is_installed(), reason="the requirements of LiteLLM's proxy are not installed")

INSTRUMENTATIONS = {"fastapi": "opentelemetry.instrumentation.fastapi", "none": "fastapi"}
"""What creates the span of the request: the instrumentation of FastAPI, or, with none, FastAPI itself → its module."""
ORDER = ("chat fast", "POST /chat/completions", "route fast", "chat gpt-4o-mini")
"""The names of the spans, from the first to the last one that starts."""
NAMES = set(ORDER)
CALL = f"""
import os
import litellm
parameters = dict(model="litellm_proxy/fast", api_base=os.environ["PROXY"], api_key="{KEY}", max_retries=0)
result = litellm.completion(messages=[{{"role": "user", "content": "canary-prompt"}}], stream=STREAM, **parameters)
if STREAM:
    list(result)
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenAIProvider]:
    with OpenAIProvider() as server:
        yield server


@pytest.fixture(scope="module")
def receiver() -> Iterator[OTLPReceiver]:
    """Receives the telemetry of the proxy and of all applications."""
    with OTLPReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module", params=INSTRUMENTATIONS)
def proxy(
    request: pytest.FixtureRequest,
    provider: OpenAIProvider,
    receiver: OTLPReceiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    pytest.importorskip(INSTRUMENTATIONS[request.param], reason="FastAPI is not instrumented: `tox -e proxy`")
    deployment = {"model": "openai/gpt-4o-mini", "api_base": provider.base_url, "api_key": "sk-provider"}
    settings = {
        "model_list": [{"model_name": "fast", "litellm_params": deployment}],
        "litellm_settings": {"telemetry": False},
        "router_settings": {"num_retries": 0},
    }
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_SERVICE_NAME": "proxy",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        **({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "fastapi,asgi"} if request.param == "none" else {}),
    }
    with running_proxy(tmp_path_factory.mktemp("proxy"), settings, **variables) as running:
        yield running


def trace_of_call(
    proxy: Proxy, receiver: OTLPReceiver, *, stream: bool = False, **environment: str
) -> dict[str, ReceivedSpan]:
    """The trace of an application with one call: name → span, without those of FastAPI below the request."""
    before = {span.trace_id for span in receiver.spans}
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_SERVICE_NAME": "app", **environment}
    launch(sys.executable, "-c", CALL.replace("STREAM", str(stream)), PROXY=proxy.url, **variables)
    until = time.monotonic() + 20
    while True:
        calls = {span.trace_id for span in receiver.spans if span.name == "chat fast"} - before
        trace = [span for span in receiver.spans if span.trace_id in calls]
        by_name = {span.name: span for span in trace if not span.name.startswith("fastapi.")}
        if by_name.keys() >= NAMES or time.monotonic() > until:
            break
        time.sleep(0.1)
    assert len(calls) == 1
    assert by_name.keys() >= NAMES
    assert [span.kind for span in trace].count("SERVER") == 1
    return by_name


def is_below(span: ReceivedSpan, other: ReceivedSpan, receiver: OTLPReceiver) -> bool:
    """Whether `other` is the parent of a span, or a parent of its parent."""
    by_id = {each.span_id: each for each in receiver.spans}
    above: ReceivedSpan | None = span
    while above is not None and above is not other:
        above = by_id.get(above.parent_span_id)
    return above is other


@pytest.mark.parametrize("stream", [False, True])
def test_one_trace(proxy: Proxy, receiver: OTLPReceiver, provider: OpenAIProvider, *, stream: bool) -> None:
    provider.script(Script())
    trace = trace_of_call(proxy, receiver, stream=stream)
    call, request, route, own = map(trace.__getitem__, ORDER)
    assert request.parent_span_id == call.span_id
    assert is_below(route, request, receiver)
    assert own.parent_span_id == route.span_id
    assert call.attributes["litellm.proxy.call_id"] == own.attributes["litellm.call_id"]
    assert call.attributes["litellm.proxy.model_id"] == own.attributes["litellm.model_id"]
    if not stream:  # the proxy does not know the price of a stream when it sends the headers
        assert call.attributes["agentops.cost.source"] == "gateway"
        assert call.attributes["agentops.cost.total"] == pytest.approx(own.attributes["agentops.cost.total"])
    assert own.attributes["agentops.cost.source"] == "litellm"
    assert "canary" not in str(receiver.spans)


def test_a_call_that_fails(proxy: Proxy, receiver: OTLPReceiver, provider: OpenAIProvider) -> None:
    provider.script(Script(status=429))
    trace = trace_of_call(proxy, receiver)
    call, request, route, own = map(trace.__getitem__, ORDER)
    assert [span.status for span in (call, route, own)] == ["ERROR"] * 3
    # The instrumentation of FastAPI uses the older name, unless OTEL_SEMCONV_STABILITY_OPT_IN selects the newer one.
    names = {"http.response.status_code", "http.status_code"} & request.attributes.keys()
    assert [request.attributes[name] for name in names] == [429]
    assert call.attributes["llm.error.category"] == own.attributes["llm.error.category"] == "rate_limit"


def test_each_call_is_counted_once(proxy: Proxy, receiver: OTLPReceiver, provider: OpenAIProvider) -> None:
    """With AGENTOPS_PROXY_COUNTS, the sums over all spans are what the provider counted and the proxy charged."""
    provider.script(Script())
    trace = trace_of_call(proxy, receiver, AGENTOPS_PROXY_COUNTS="true", AGENTOPS_SEMCONV="gen_ai,llm,agentops")
    call = trace["chat fast"]

    def total(name: str) -> float:
        return sum(float(str(span.attributes[name])) for span in trace.values() if name in span.attributes)

    counted = provider.ledger[-1].usage
    assert counted is not None
    assert total("gen_ai.usage.input_tokens") == counted["prompt_tokens"]
    assert total("gen_ai.usage.output_tokens") == counted["completion_tokens"]
    assert total("agentops.cost.total") == pytest.approx(call.attributes["litellm.proxy.response_cost"])
    assert [name for name in call.attributes if ".usage." in name or ".cost." in name] == []
