"""Mutated responses of every API: the application sees the same with this package and without it.

    pytest tests/soak [--cases 10000] [--seed 16] [--first-case 0]

A case is made of the seed and its number alone, so one that fails is run again with `--first-case N --cases 1`. Each
runs without this package and with it, and what the application sees is compared. The call must have left one span,
which has ended, is an error if the call failed, and can be encoded for OTLP; and no line in our log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random

import litellm
import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.trace import StatusCode

from agentops_otel_litellm import LiteLLMInstrumentor, guard
from agentops_otel_litellm.emit import Telemetry
from agentops_otel_litellm.seams.tracing import TRACING
from apis import APIS, Api
from captured import telling
from conftest import Told
from mutations import Mutated, mutate
from outcomes import Caller, Outcome
from recorder import Recorder
from servers.wire import WireProvider

BATCH = 50
"""Cases that are run without this package, and then with it."""

pytestmark = pytest.mark.filterwarnings("ignore")  # LiteLLM's, of responses that are not what it expects


@dataclass(frozen=True)
class Case:
    """One call of one API, whose response is mutated."""

    seed: int
    number: int

    def _random(self, purpose: str) -> Random:
        return Random(f"{self.seed} {self.number} {purpose}")

    @cached_property
    def api(self) -> Api:
        return self._random("api").choice(APIS)

    @cached_property
    def asynchronous(self) -> bool:
        return self._random("style").random() < 0.5

    @cached_property
    def mutated(self) -> Mutated:
        return mutate(self._random("mutation"), self.api.reply)

    @property
    def captures_content(self) -> bool:
        return self.number % 3 == 0

    def __str__(self) -> str:
        style = "async" if self.asynchronous else "sync"
        return f"case {self.number} of seed {self.seed}: {self.api.name}, {style}: {self.mutated.description}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each batch of cases."""
    option = metafunc.config.getoption
    first, end = option("first_case"), option("first_case") + option("cases")
    starts = range(first, end, BATCH)
    batches = [[Case(option("seed"), number) for number in range(start, min(start + BATCH, end))] for start in starts]
    metafunc.parametrize("cases", batches, ids=[f"from-{start}" for start in starts])


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """LiteLLM logs a traceback of most of these responses."""
    monkeypatch.setattr(litellm, "suppress_debug_info", True)
    logging.disable(logging.INFO)
    loggers = [logging.getLogger(name) for name in ("LiteLLM", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    yield
    logging.disable(logging.NOTSET)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="module")
def calling(running_wire: WireProvider) -> Iterator[Caller]:
    caller = Caller(running_wire)
    yield caller
    caller.close()


def run(case: Case, wire: WireProvider, calling: Caller) -> Outcome | None:
    function = case.api.callable(asynchronous=case.asynchronous)
    if function is None:
        return None
    wire.reset()
    wire.reply("", case.mutated.reply)
    parameters = {
        **case.api.parameters,
        **case.api.connection(wire.url),
        "max_retries": 0,
        "timeout": 30,
        "litellm_call_id": f"case-{case.number}",
    }
    return calling.outcome(function, parameters, asynchronous=case.asynchronous)


def findings(outcome: Outcome, telemetry: Recorder, told: Told) -> Iterator[str]:
    """What is wrong with the telemetry of the call that was just made."""
    yield from (f"log: {line}" for line in told.take())
    spans = telemetry.spans()
    if len(spans) != 1:
        yield f"{len(spans)} spans: {[span.name for span in spans]}"
    for span in spans:
        if span.end_time is None:
            yield "a span without an end"
        if outcome.raised and span.status.status_code is not StatusCode.ERROR:
            yield f"the status is {span.status.status_code} though the call failed with {outcome.error[:200]}"
    try:
        encode_spans(spans).SerializeToString()
        encode_logs(telemetry.logs()).SerializeToString()
        metrics = telemetry.collect()
        if metrics is not None:
            encode_metrics(metrics).SerializeToString()
    except Exception as error:  # noqa: BLE001 - any loses a batch
        yield f"not encodable: {type(error).__name__}: {error}"


def test_the_application_sees_the_same(
    cases: list[Case], wire: WireProvider, telemetry: Recorder, told: Told, calling: Caller
) -> None:
    own = TRACING.telemetry
    capturing: Telemetry = telling(telemetry, "SPAN_AND_EVENT")
    LiteLLMInstrumentor().uninstrument()
    try:
        without = [run(case, wire, calling) for case in cases]
    finally:
        LiteLLMInstrumentor().instrument(**telemetry.providers)
        TRACING.telemetry = own
    found = []
    try:
        for case, expected in zip(cases, without, strict=True):
            if expected is None:
                continue
            telemetry.forget()
            guard._told.clear()
            TRACING.telemetry = capturing if case.captures_content else own
            outcome = run(case, wire, calling)
            assert outcome is not None
            wrong = [*expected.differences(outcome), *findings(outcome, telemetry, told)]
            found += [f"{case}\n  " + "\n  ".join(wrong)] if wrong else []
    finally:
        TRACING.telemetry = own
    if found:
        pytest.fail("\n\n".join(found), pytrace=False)
