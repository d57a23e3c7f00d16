"""Account: what is known of a call while it happens."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter, time_ns
from typing import TYPE_CHECKING

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import (
    App,
    Call,
    Failure,
    Request,
    Routing,
    StreamOutcome,
    Target,
    Timing,
)
from agentops_otel_litellm.call.content import Content
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.observing.answer_reader import AnswerReader
from agentops_otel_litellm.observing.answers import Answer, Answers, step_in
from agentops_otel_litellm.observing.attempts import AttemptsSoFar
from agentops_otel_litellm.observing.logging_objects import know

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.context import Context

    from agentops_otel_litellm.observing.streamed_response import StreamedResponse
    from agentops_otel_litellm.operations import Operation

_READING_REQUEST = guard("reading a request")
_READING_APP = guard("reading what the app says that a call is for")
_READING_TARGET = guard("reading the provider of a call")
_READING_ROUTING = guard("reading how LiteLLM carried a call")
_READING_CONTENT = guard("reading what was said")
_READING_OPT_OUT = guard("reading whether LiteLLM's message logging is off, for which no content is captured")
_READING_RESPONSE = guard("reading a response")
_READING_EXCEPTION = guard("reading an exception")


class Account:
    """What LiteLLM was given for a call and what it has let on since, read as the operation's shape says.

    What cannot be read is absent, and what can be is not lost with it.
    """

    __slots__ = (
        "_answer",
        "_app",
        "_content",
        "_first_logging",
        "_operation",
        "_parameters",
        "_request",
        "_shape",
        "answers",
        "attempts",
        "cooldown_time",
        "error",
        "logging",
        "reader",
        "started",
        "started_at",
        "translation",
    )

    def __init__(self, operation: Operation, parameters: Mapping[str, object]) -> None:
        self._operation = operation
        self._shape = readers.shape_of(operation)
        self._parameters = parameters
        self._request: Request | None = None
        self._answer: Answer | None = None
        self._content: Content | None = None
        self._app: App | None = None
        self.logging: object = readers.read_logging_object(parameters)
        """LiteLLM's logging object of the call, once there is one; the last, where LiteLLM made several."""
        if self.logging is not None:
            know(self.logging)
        self._first_logging = self.logging
        self.translation: object = None
        """The messages LiteLLM made of the app's, for a function of its own that it calls instead."""
        self.cooldown_time: float | None = None
        """Seconds for which the Router has set the call's deployment aside."""
        self.error: BaseException | None = None
        """What went wrong that LiteLLM will keep to itself."""
        self.answers: Answers | None = None
        """Those that LiteLLM had on its way, where it called itself or another call was made."""
        self.attempts = AttemptsSoFar()
        self.reader = AnswerReader(self._shape, parameters)
        self.started_at = time_ns()
        self.started = perf_counter()

    def let_go(self) -> None:
        """Of what the app passed and LiteLLM made of it: the call is over."""
        self._parameters, self._request, self._answer, self._content = {}, None, None, None
        self._app = None
        self.logging = self._first_logging = self.translation = self.error = None
        self.answers = None
        self.reader.let_go()
        self.attempts = AttemptsSoFar()

    def read_request(self) -> None:
        """Before LiteLLM gets to change what the app passed."""
        with _READING_REQUEST:
            self._request = self._shape.request(self._parameters)

    def read_app(self, context: Context, metadata_keys: Sequence[str], baggage_keys: Sequence[str]) -> None:
        """What the app says that the call is for, in its parameters or in the OpenTelemetry context around it."""
        with _READING_APP:
            self._app = readers.read_app(self._parameters, context, metadata_keys, baggage_keys)

    def read_content(self) -> None:
        """The same of what is said, where content is wanted."""
        readers_of = self._shape.content
        if readers_of is not None:
            with _READING_CONTENT:
                self._content = readers_of.asked(self._parameters)

    def chunks(self, stream: object) -> readers.Chunks:
        """What accumulates the chunks of the stream."""
        return self._shape.chunks(stream)

    def transcript(self) -> readers.Transcript | None:
        """What a stream is to be written down with, where content is wanted."""
        if self._content is None or self._shape.content is None:
            return None
        make = self._shape.content.transcript
        return None if make is None else make()

    def set_up(self, logging: object) -> None:
        """LiteLLM set up the logging of the call, or of another that it makes for it: the first knows what was called,
        the last what came of it.
        """
        if self._first_logging is None:
            self._first_logging = logging
        self.logging = logging

    def is_logged_with(self, logging: object) -> bool:
        """Whether the object is LiteLLM's for the very function that was called, and not for one that this calls."""
        return self.logging is None and self._operation.is_logged_as(getattr(logging, "call_type", None))

    def start_over(self) -> None:
        """LiteLLM turns to another function of its own for the call, with nothing but what it was given."""
        self.logging = self._first_logging = readers.read_logging_object(self._parameters)

    def is_continued_by(self, kwargs: Mapping[str, object]) -> bool:
        """Whether a call inside this one, with these parameters, is LiteLLM's next step of it, and no other's call.

        LiteLLM hands its logging object on. Where it has none yet, it has done nothing but make that call; and where
        it translates the app's request for another of its functions, the messages tell.
        """
        if readers.read_logging_object(kwargs) is not None or self.logging is None:
            return True
        return self.translation is not None and readers.read_messages(kwargs) is self.translation

    def answered(self, answer: object, error: BaseException | None) -> None:
        """LiteLLM has an answer, or an error, that it will keep to itself."""
        if answer is not None:
            self._answer = self.reader.whole(answer, self.logging)
        self.error = error

    def answers_now(self) -> Answers:
        if self.answers is None:
            self.answers = Answers(lambda shape, given: self.reader.one_of_several(shape, given, self.logging))
        return self.answers

    def keeps(self, answer: object, context: Mapping[str, object], *, refused: bool = False) -> None:
        """LiteLLM has an answer, in that context, that the app will not get: another is given for it, or none."""
        step, answers = step_in(context, self), self.answers_now()
        if step is not None:
            step.keeps(answer)
        elif not answers.has_last:
            answers.keep(self._shape, answer)
        answers.drop_last(refused=refused)

    def turns_to_a_provider(self) -> None:
        """LiteLLM does, for an attempt that is under way or a new one: an answer was the end of the last."""
        answers = self.answers
        if answers is not None and answers.unfollowed is not None:
            self.attempts.end(answers.unfollowed, self.target())
            answers.unfollowed = None
        self.attempts.begin()

    def begun(self) -> Call:
        """The call as known when it starts."""
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

    def ended(
        self,
        duration: float,
        outcome: StreamOutcome,
        *,
        result: object,
        streamed: StreamedResponse | None,
        error: BaseException | None,
    ) -> Call:
        """The whole call, of which `result` is what the app gets, where that is no stream."""
        outcome, failure = _failing(outcome, error, streamed)
        response, usage, cost = self._answer_at_end(outcome, result, streamed)
        target, ended = self.target(), self.started + duration
        return Call(
            name=self._operation.name,
            operation=self._operation.name if self._operation.calls_a_model else None,
            target=target,
            attempts=self.attempts.over(self.started, ended, target, failure),
            timing=Timing(started_at=self.started_at, duration=duration),
            routing=self.routing() if self.reader.is_recorded else None,
            request=self._request,
            response=response,
            usage=usage,
            cost=cost,
            stream=None if streamed is None else streamed.timed(outcome, self.started),
            failure=failure,
            app=self._app,
            content=None if self._content is None else self._logged_content(self._content, result, streamed),
            estimate=self.reader.estimate,
            answered_by_another=self.answers.is_anothers if self.answers is not None else None,
        )

    def _answer_at_end(self, outcome: StreamOutcome, result: object, streamed: StreamedResponse | None) -> Answer:
        """What came, in whichever way it did, with the others that LiteLLM had on its way."""
        answer = self._last_answer(outcome, result, streamed)
        if self.answers is None:
            return answer
        with _READING_RESPONSE:
            if streamed is None and outcome == "completed":
                self.answers.end_with(self._shape, result)
            return self.answers.settled(answer, failed=streamed is None and outcome != "completed")
        return answer

    def _last_answer(self, outcome: StreamOutcome, result: object, streamed: StreamedResponse | None) -> Answer:
        """What came last."""
        if streamed is not None:
            return self.reader.streamed(streamed.chunks, outcome, self.logging)
        if self._answer is not None:
            return self._answer
        return self.reader.whole(result, self.logging) if outcome == "completed" else (None, None, None)

    def _logged_content(self, asked: Content, result: object, streamed: StreamedResponse | None) -> Content | None:
        """The content, unless LiteLLM's logging of messages is off for the call, or that cannot be told."""
        with _READING_OPT_OUT:
            logged_with = {id(each): each for each in (self._first_logging, self.logging)}.values()
            if not any(readers.is_message_logging_off(self._parameters, each) for each in logged_with):
                return self._said(asked, result, streamed)
        return None

    def _said(self, asked: Content, result: object, streamed: StreamedResponse | None) -> Content:
        """All that was said, as far as it came."""
        with _READING_CONTENT:
            if streamed is not None:
                return replace(asked, output=streamed.said())
            readers_of = self._shape.content
            if result is not None and readers_of is not None:
                answered, found = readers_of.answered, readers_of.found
                return replace(
                    asked,
                    output=answered(result) if answered else None,
                    results=found(result) if found else None,
                )
        return asked

    def target(self) -> Target:
        with _READING_TARGET:
            return self._shape.target(self._parameters, self.logging)
        return Target()

    def routing(self) -> Routing | None:
        with _READING_ROUTING:
            routing = self._shape.routing(self._parameters, self._first_logging)
            return replace(routing, cooldown_time=self.cooldown_time) if self.cooldown_time is not None else routing
        return None


def _failing(
    outcome: StreamOutcome, error: BaseException | None, streamed: StreamedResponse | None
) -> tuple[StreamOutcome, Failure | None]:
    """What went wrong, by the exception or else by a chunk of the stream, whose end may seem to be a good one."""
    if error is not None:
        with _READING_EXCEPTION:
            return outcome, readers.read_failure(error)
    if streamed is not None and streamed.chunks.failure is not None:
        return "failed", streamed.chunks.failure
    return outcome, None
