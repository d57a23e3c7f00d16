"""Mutated responses of every API: the application sees the same with this package and without it.

    pytest tests/soak [--cases 10000] [--seed 16] [--first-case 0]

A case is made of the seed and its number alone, so one that fails is run again with `--first-case N --cases 1`. Each
runs without this package and with it, and what the application sees is compared. The call must have left one span,
which has ended, is an error if the call failed, and can be encoded for OTLP; and no line in our log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import litellm
import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.trace import StatusCode

from agentops_otel_litellm import LiteLLMInstrumentor, guard
from agentops_otel_litellm.patching.traced_functions import TRACING
from support.apps import CALL_ID
from support.captured import capturing_telemetry
from support.conformance import EMITTED
from support.logged_warnings import LoggedWarnings
from support.mutations import Mutated, cut_at, mutate
from support.recorder import Recorder
from support.servers.wire import WireProvider
from support.soak_apis import APIS, Api
from support.soak_outcomes import Caller, Outcome

BATCH = 50
"""Cases that are run without this package, and then with it."""
SENT_BY_PROVIDERS = (
    "lacks gen_ai.response.id",
    " has more ",
    "which is empty",
    " has gen_ai.response.finish_reasons of ",
)
"""Findings of the conformance check that follow from what the provider sends: no id, no text, parts that are more than
the whole, or an unknown reason for the end.
"""

pytestmark = pytest.mark.filterwarnings("ignore")  # LiteLLM's, of responses that are not what it expects


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call of one API, whose response is mutated."""

    name: str
    api: Api
    asynchronous: bool
    mutated: Mutated
    captures_content: bool

    def __str__(self) -> str:
        style = "async" if self.asynchronous else "sync"
        return f"{self.name}: {self.api.name}, {style}: {self.mutated.description}"


def seeded(seed: int, number: int) -> Case:
    random = Random(f"{seed} {number}")
    api = random.choice(APIS)
    return Case(
        name=f"case {number} of seed {seed}",
        api=api,
        asynchronous=random.random() < 0.5 or api.always_async,
        mutated=mutate(random, api.reply),
        captures_content=number % 3 == 0,
    )


def cut(api: Api, byte: int) -> Case:
    """A stream that ends early: in turn the body does or the connection."""
    hung_up = byte % 4 < 2
    return Case(
        name=f"byte {byte}",
        api=api,
        asynchronous=byte % 2 == 0 or api.always_async,
        mutated=cut_at(api.reply, byte, hung_up=hung_up),
        captures_content=byte % 3 == 0,
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each batch of cases."""
    if "numbers" in metafunc.fixturenames:
        option = metafunc.config.getoption
        first, end = option("first_case"), option("first_case") + option("cases")
        batches = [range(start, min(start + BATCH, end)) for start in range(first, end, BATCH)]
        metafunc.parametrize("numbers", batches, ids=[f"from-{numbers.start}" for numbers in batches])


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
        "litellm_call_id": CALL_ID,
    }
    return calling.outcome(function, parameters, asynchronous=case.asynchronous)


def findings(outcome: Outcome, telemetry: Recorder, logged: LoggedWarnings) -> Iterator[str]:
    """What is wrong with the telemetry of the call that was just made."""
    yield from (f"log: {line}" for line in logged.take())
    spans = telemetry.spans()
    if len(spans) != 1:
        yield f"{len(spans)} spans: {[span.name for span in spans]}"
    for span in spans:
        if span.end_time is None:
            yield "a span without an end"
        if outcome.raised and span.status.status_code is not StatusCode.ERROR:
            yield f"the status is {span.status.status_code} though the call failed with {outcome.error[:200]}"
    metrics = telemetry.collect()
    for finding in EMITTED.take():
        if not any(excuse in finding for excuse in SENT_BY_PROVIDERS):
            yield f"conventions: {finding}"
    try:
        encode_spans(spans).SerializeToString()
        encode_logs(telemetry.logs()).SerializeToString()
        if metrics is not None:
            encode_metrics(metrics).SerializeToString()
    except Exception as error:  # noqa: BLE001 - any loses a batch
        yield f"not encodable: {type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Runs cases without this package and with it."""

    wire: WireProvider
    telemetry: Recorder
    logged: LoggedWarnings
    calling: Caller

    def findings(self, cases: Sequence[Case]) -> list[str]:
        """What is wrong, case by case."""
        with uninstrumented(self.telemetry):
            without = [run(case, self.wire, self.calling) for case in cases]
        own, capturing = TRACING.telemetry, capturing_telemetry(self.telemetry, "SPAN_AND_EVENT")
        found = []
        try:
            for case, expected in zip(cases, without, strict=True):
                TRACING.telemetry = capturing if case.captures_content else own
                wrong = [] if expected is None else self._with(case, expected)
                found += [f"{case}\n  " + "\n  ".join(wrong)] if wrong else []
        finally:
            TRACING.telemetry = own
        return found

    def _with(self, case: Case, expected: Outcome) -> list[str]:
        self.telemetry.forget()
        guard._logged.clear()
        outcome = run(case, self.wire, self.calling)
        assert outcome is not None
        return [*expected.differences(outcome), *findings(outcome, self.telemetry, self.logged)]


@contextmanager
def uninstrumented(telemetry: Recorder) -> Iterator[None]:
    own = TRACING.telemetry
    LiteLLMInstrumentor().uninstrument()
    try:
        yield
    finally:
        LiteLLMInstrumentor().instrument(**telemetry.providers)
        TRACING.telemetry = own


@pytest.fixture
def comparison(wire: WireProvider, telemetry: Recorder, logged: LoggedWarnings, calling: Caller) -> Comparison:
    return Comparison(wire=wire, telemetry=telemetry, logged=logged, calling=calling)


def test_mutated_responses(numbers: range, comparison: Comparison, pytestconfig: pytest.Config) -> None:
    found = comparison.findings([seeded(pytestconfig.getoption("seed"), number) for number in numbers])
    if found:
        pytest.fail("\n\n".join(found), pytrace=False)


@pytest.mark.parametrize("api", [pytest.param(api, id=api.name) for api in APIS if api.reply.pieces is not None])
def test_streams_cut_at_each_byte(api: Api, comparison: Comparison) -> None:
    ends = range(len(b"".join(api.reply.pieces or ())))
    batches = [ends[start : start + BATCH] for start in range(0, len(ends), BATCH)]
    found = [each for batch in batches for each in comparison.findings([cut(api, byte) for byte in batch])]
    if found:
        pytest.fail("\n\n".join(found), pytrace=False)


@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize("api", [pytest.param(api, id=api.name) for api in APIS])
def test_replies_as_they_are(api: Api, style: str, comparison: Comparison) -> None:
    """What is mutated is a reply that LiteLLM understands: without a mutation, the call succeeds."""
    case = Case(
        name="unchanged",
        api=api,
        asynchronous=style == "async" or api.always_async,
        mutated=Mutated(description="as it is", reply=api.reply),
        captures_content=True,
    )
    outcome = run(case, comparison.wire, comparison.calling)
    if outcome is None:
        pytest.skip("this LiteLLM does not have the function")
    assert outcome.error == ""
    assert comparison.findings([case]) == []
