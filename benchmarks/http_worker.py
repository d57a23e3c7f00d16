"""One subject of `http_calls.py`. Reads a request from stdin, a line of JSON for each, and prints CPU times."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from http_cases import CASES, CONTENT, Case, prose
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from subjects import Instrumented, Nothing, Pipeline, Subject, subject

SETTLING = 0.003
"""Seconds that are waited after each call, so that LiteLLM's logging of it has run and is measured."""
NOTHING = Nothing()

Times = dict[str, float]
"""Clock (`thread` or `process`) → microseconds."""


class Calls:
    """Calls of LiteLLM as a case describes them."""

    def __init__(self, case: Case, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self._case, self._loop = case, loop
        is_anthropic = case.model.startswith("anthropic/")
        provider = {"api_base": url if is_anthropic else f"{url}/v1", "api_key": "sk-a-key"}
        messages = [{"role": "user", "content": prose(1_000) if case.records_content else "Will it rain in Paris?"}]
        self._request: dict[str, Any] = {"model": case.model, "messages": messages}
        self._functions: Any = litellm
        if case.is_routed:
            self._request["model"] = "a-model"
            deployment = {"model_name": "a-model", "litellm_params": {"model": case.model, **provider}}
            self._functions = litellm.Router(model_list=[deployment])
        else:
            self._request |= provider
        if case.is_streamed:
            self._request["stream"] = True
        if case.requests_usage:
            self._request["stream_options"] = {"include_usage": True}

    def one(self) -> None:
        """Make one call."""
        if self._case.is_async:
            self._loop.run_until_complete(self._acall())
        else:
            self._call()

    def several(self, traced: Subject, count: int) -> None:
        """Make `count` calls with a subject, each with the work that LiteLLM does after it."""
        if self._case.is_async:
            self._loop.run_until_complete(self._acalls(traced, count))
            return
        for _ in range(count):
            opened = traced.start()
            self._call()
            traced.end(opened)
            time.sleep(SETTLING)

    async def _acalls(self, traced: Subject, count: int) -> None:
        for _ in range(count):
            opened = traced.start()
            await self._acall()
            traced.end(opened)
            await asyncio.sleep(SETTLING)

    async def _acall(self) -> None:
        response = await self._functions.acompletion(**self._request)
        if self._case.is_streamed:
            async for _ in response:
                pass

    def _call(self) -> None:
        response = self._functions.completion(**self._request)
        if self._case.is_streamed:
            for _ in response:
                pass


class Measurement:
    """A case with one subject: blocks of calls with it, and blocks without it."""

    def __init__(self, name: str, case: Case, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self._case, self._calls = case, Calls(case, url, loop)
        os.environ[CONTENT] = "SPAN_ONLY" if case.records_content else "NO_CONTENT"
        self._calls.one()
        sampler = ALWAYS_ON if case.is_sampled else ALWAYS_OFF
        self._subject, self._pipeline = subject(name, sampler, self._calls.one)

    def pair(self, calls: int, chunks: int, *, is_traced_first: bool) -> dict[str, Times]:
        """One block with the subject and one without it."""
        order = (True, False) if is_traced_first else (False, True)
        return {"with" if traced else "without": self._block(calls, chunks, is_traced=traced) for traced in order}

    def _block(self, calls: int, chunks: int, *, is_traced: bool) -> Times:
        """Microseconds for each call, or for each chunk of a stream, without the first call."""
        traced, pipeline = self._subject if is_traced else NOTHING, self._pipeline
        os.environ[CONTENT] = "SPAN_ONLY" if self._case.records_content else "NO_CONTENT"
        traced.enable()
        try:
            self._calls.several(traced, 1)
            pipeline.flush()
            spans, thread, process = pipeline.exporter.count, time.thread_time(), time.process_time()
            self._calls.several(traced, calls - 1)
            thread = time.thread_time() - thread
            pipeline.flush()
            process = time.process_time() - process
        finally:
            traced.disable()
        spans = pipeline.exporter.count - spans
        assert (spans >= calls - 1) if is_traced and self._case.is_sampled else spans == 0, f"{spans} spans"
        units = (calls - 1) * (chunks if self._case.is_streamed else 1)
        return {"thread": thread * 1e6 / units, "process": process * 1e6 / units}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subject")
    parser.add_argument("url")
    options = parser.parse_args()
    loop = asyncio.new_event_loop()
    cases: Mapping[str, Case] = {case.name: case for case in CASES}
    measurements: dict[str, Measurement] = {}
    try:
        if options.subject != "floor":
            Instrumented(options.subject, Pipeline())
    except ImportError:
        print("{}", flush=True)
        return
    print('{"ready": true}', flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        case = cases[request["case"]]
        if case.name not in measurements:
            measurements[case.name] = Measurement(options.subject, case, options.url, loop)
        pairs = [
            measurements[case.name].pair(request["calls"], request["chunks"], is_traced_first=number % 2 == 0)
            for number in range(request["pairs"])
        ]
        print(json.dumps({side: [pair[side] for pair in pairs] for side in ("with", "without")}), flush=True)


if __name__ == "__main__":
    main()
