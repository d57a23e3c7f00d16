"""CallState: the facts that are known about a call while it is in progress."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter, time_ns
from typing import TYPE_CHECKING

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import App, Call, Failure, Request, Routing, StreamOutcome, Target, Timing
from agentops_otel_litellm.content_records import Content
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.invocation.attempts import AttemptTracker
from agentops_otel_litellm.invocation.logging_objects import mark_as_known
from agentops_otel_litellm.invocation.nested_responses import NestedResponses, ResponseFacts, step_in
from agentops_otel_litellm.invocation.response_reader import ResponseReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.context import Context

    from agentops_otel_litellm.invocation.streamed_response import StreamedResponse
    from agentops_otel_litellm.operations import Operation

_READING_REQUEST = guard("reading a request")
_READING_APP = guard("reading the user, session, tags and metadata of a call")
_READING_TARGET = guard("reading the provider of a call")
_READING_ROUTING = guard("reading the routing of a call")
_READING_CONTENT = guard("reading message content")
_READING_OPT_OUT = guard("reading LiteLLM's setting for message logging (no content is captured)")
_READING_RESPONSE = guard("reading a response")
_READING_EXCEPTION = guard("reading an exception")


class CallState:
    """The parameters of a call, and the objects and facts of LiteLLM that wrapped functions have recorded since its
    start.

    A value that cannot be read is absent; the others are recorded all the same.
    """

    __slots__ = (
        "_api_format",
        "_app",
        "_content",
        "_first_logging",
        "_operation",
        "_parameters",
        "_request",
        "_unreturned_facts",
        "attempts",
        "cooldown_time",
        "error",
        "logging",
        "nested",
        "reader",
        "started",
        "started_at",
        "translation",
    )

    def __init__(self, operation: Operation, parameters: Mapping[str, object]) -> None:
        self._operation = operation
        self._api_format = readers.api_format_of(operation)
        self._parameters = parameters
        self._request: Request | None = None
        self._unreturned_facts: ResponseFacts | None = None
        self._content: Content | None = None
        self._app: App | None = None
        self.logging: object = readers.read_logging_object(parameters)
        """LiteLLM's logging object of the call, the last one if LiteLLM made several; `None` before the first."""
        if self.logging is not None:
            mark_as_known(self.logging)
        self._first_logging = self.logging
        self.translation: object = None
        """LiteLLM's translation of the request into messages, with which it calls a different LiteLLM function."""
        self.cooldown_time: float | None = None
        """Seconds for which the Router has put the call's deployment into cooldown."""
        self.error: BaseException | None = None
        """The error of the call, if LiteLLM does not raise it, as in a realtime session."""
        self.nested: NestedResponses | None = None
        """The results inside the call, if LiteLLM called itself or made other calls for it; otherwise `None`."""
        self.attempts = AttemptTracker()
        self.reader = ResponseReader(self._api_format, parameters)
        self.started_at = time_ns()
        self.started = perf_counter()

    def release(self) -> None:
        """Release the objects of the application and of LiteLLM, after the call has ended."""
        self._parameters, self._request, self._unreturned_facts, self._content = {}, None, None, None
        self._app = None
        self.logging = self._first_logging = self.translation = self.error = None
        self.nested = None
        self.reader.release()
        self.attempts = AttemptTracker()

    def read_request(self) -> None:
        """Read the request, before LiteLLM can change the parameters."""
        with _READING_REQUEST:
            self._request = self._api_format.request(self._parameters)

    def read_app(self, context: Context, metadata_keys: Sequence[str], baggage_keys: Sequence[str]) -> None:
        """Read the user, session, tags and metadata, from the parameters and from the OpenTelemetry context."""
        with _READING_APP:
            self._app = readers.read_app(self._parameters, context, metadata_keys, baggage_keys)

    def read_content(self) -> None:
        """Read the content of the request. Called only if content is captured."""
        readers_of = self._api_format.content
        if readers_of is not None:
            with _READING_CONTENT:
                self._content = readers_of.request(self._parameters)

    def chunks(self, stream: object) -> readers.Chunks:
        """Return the reader of the stream's chunks."""
        return self._api_format.chunks(stream)

    def transcript(self) -> readers.Transcript | None:
        """Return the reader of the stream's content; `None` if no content is captured."""
        if self._content is None or self._api_format.content is None:
            return None
        make = self._api_format.content.transcript
        return None if make is None else make()

    def set_logging(self, logging: object) -> None:
        """Set the logging object that LiteLLM has made for the call, or for a further LiteLLM function that the call
        uses.

        The first object has the routing of the call, the last one its result.
        """
        if self._first_logging is None:
            self._first_logging = logging
        self.logging = logging

    def is_logged_with(self, logging: object) -> bool:
        """Whether LiteLLM made the object for the traced function itself, and not for one that this function calls."""
        return self.logging is None and self._operation.is_logged_as(getattr(logging, "call_type", None))

    def reset_logging(self) -> None:
        """Reset the logging objects: LiteLLM starts the call again, with a different function and the original
        parameters.
        """
        self.logging = self._first_logging = readers.read_logging_object(self._parameters)

    def is_continued_by(self, kwargs: Mapping[str, object]) -> bool:
        """Whether an inner call with these parameters is a step of this call, and not a separate call.

        LiteLLM passes its logging object to every step. An inner call without that object is a step as well if LiteLLM
        has made no logging object for this call yet, or if the messages are LiteLLM's translation of this request.
        """
        if readers.read_logging_object(kwargs) is not None or self.logging is None:
            return True
        return self.translation is not None and readers.read_messages(kwargs) is self.translation

    def set_result(self, result: object, error: BaseException | None) -> None:
        """Set a result, or an error, that LiteLLM neither returns nor raises."""
        if result is not None:
            self._unreturned_facts = self.reader.read_result(result, self.logging)
        self.error = error

    def require_nested_responses(self) -> NestedResponses:
        """Return `nested`, and create it if it is `None`: the call has several responses, or other calls inside it."""
        if self.nested is None:
            self.nested = NestedResponses(
                lambda api_format, result: self.reader.read_one_of_several(api_format, result, self.logging)
            )
        return self.nested

    def add_replaced(self, response: object, context: Mapping[str, object], *, is_rejected: bool = False) -> None:
        """Add a response that LiteLLM replaces or rejects, so that the application does not receive it.

        `context` is the context in which LiteLLM received the response.
        """
        step, nested = step_in(context, self), self.require_nested_responses()
        if step is not None:
            step.add_replaced(response)
        elif not nested.has_latest:
            nested.add_replaced(self._api_format, response)
        nested.drop_latest(is_rejected=is_rejected)

    def begin_attempt(self) -> None:
        """Begin an attempt, unless one is open, because LiteLLM sends a request to a provider.

        If LiteLLM has received a response in the open attempt, that attempt is ended at the time of the response.
        """
        nested = self.nested
        if nested is not None and nested.latest_at is not None:
            self.attempts.end(nested.latest_at, self.target())
            nested.latest_at = None
        self.attempts.begin()

    def initial_call(self) -> Call:
        """Return the call with the facts that are known when it starts."""
        operation = self._operation
        if operation.calls_a_model:
            name, routing = operation.name, None
        else:
            name, routing = None, self.routing()
        return Call(
            name=operation.name,
            operation=name,
            target=self.target(),
            routing=routing,
            timing=Timing(started_at=self.started_at),
        )

    def final_call(
        self,
        duration: float,
        outcome: StreamOutcome,
        *,
        result: object,
        streamed: StreamedResponse | None,
        error: BaseException | None,
    ) -> Call:
        """Return the whole call, after it has ended.

        `result` is the object that LiteLLM returned, if it is not a stream.
        """
        outcome, failure = _read_failure(outcome, error, streamed)
        response, usage, cost = self._final_facts(outcome, result, streamed)
        target, ended = self.target(), self.started + duration
        return Call(
            name=self._operation.name,
            operation=self._operation.name if self._operation.calls_a_model else None,
            target=target,
            attempts=self.attempts.finish(self.started, ended, target, failure),
            timing=Timing(started_at=self.started_at, duration=duration),
            routing=self.routing() if self.reader.is_recorded else None,
            request=self._request,
            response=response,
            usage=usage,
            cost=cost,
            stream=None if streamed is None else streamed.finish(outcome, self.started),
            failure=failure,
            app=self._app,
            content=None if self._content is None else self._logged_content(self._content, result, streamed),
            estimate=self.reader.estimate,
            answered_by_another=self.nested.is_answered_by_nested_call if self.nested is not None else None,
        )

    def _final_facts(self, outcome: StreamOutcome, result: object, streamed: StreamedResponse | None) -> ResponseFacts:
        """Return response, usage and cost of the call, combined with those of the results inside the call."""
        facts = self._last_facts(outcome, result, streamed)
        if self.nested is None:
            return facts
        with _READING_RESPONSE:
            if streamed is None and outcome == "completed":
                self.nested.set_final_result(self._api_format, result)
            return self.nested.combine(facts, failed=streamed is None and outcome != "completed")
        return facts

    def _last_facts(self, outcome: StreamOutcome, result: object, streamed: StreamedResponse | None) -> ResponseFacts:
        if streamed is not None:
            return self.reader.read_stream(streamed.chunks, outcome, self.logging)
        if self._unreturned_facts is not None:
            return self._unreturned_facts
        return self.reader.read_result(result, self.logging) if outcome == "completed" else (None, None, None)

    def _logged_content(self, content: Content, result: object, streamed: StreamedResponse | None) -> Content | None:
        """Return the content. If LiteLLM's message logging is off for the call, or that cannot be determined, return
        `None`.
        """
        with _READING_OPT_OUT:
            logged_with = {id(each): each for each in (self._first_logging, self.logging)}.values()
            if not any(readers.is_message_logging_off(self._parameters, each) for each in logged_with):
                return self._with_response_content(content, result, streamed)
        return None

    def _with_response_content(self, content: Content, result: object, streamed: StreamedResponse | None) -> Content:
        """Add the content of the response to the content of the request; for a stream, the part that was received."""
        with _READING_CONTENT:
            if streamed is not None:
                return replace(content, output=streamed.messages())
            readers_of = self._api_format.content
            if result is not None and readers_of is not None:
                read_output, read_documents = readers_of.response, readers_of.documents
                return replace(
                    content,
                    output=read_output(result) if read_output else None,
                    results=read_documents(result) if read_documents else None,
                )
        return content

    def target(self) -> Target:
        with _READING_TARGET:
            return self._api_format.target(self._parameters, self.logging)
        return Target()

    def routing(self) -> Routing | None:
        with _READING_ROUTING:
            routing = self._api_format.routing(self._parameters, self._first_logging)
            return replace(routing, cooldown_time=self.cooldown_time) if self.cooldown_time is not None else routing
        return None


def _read_failure(
    outcome: StreamOutcome, error: BaseException | None, streamed: StreamedResponse | None
) -> tuple[StreamOutcome, Failure | None]:
    """Return the outcome and the failure. The failure is read from the exception, or else from an error chunk.

    A stream that contains an error chunk may end as if it were complete.
    """
    if error is not None:
        with _READING_EXCEPTION:
            return outcome, readers.read_failure(error)
    if streamed is not None and streamed.chunks.failure is not None:
        return "failed", streamed.chunks.failure
    return outcome, None
