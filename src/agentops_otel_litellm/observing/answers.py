"""What was answered for one call, where LiteLLM asks several times for it or makes other calls for it.

A span tells of all that was asked for its call, and of nothing else, so that sums over spans are what providers count.
Two ways to one result are to be told apart:

- LiteLLM goes on with a call by calling itself: it translates the request, tries again, has a tool run and asks once
  more. It hands its logging object on, and logs one call. Every answer that comes is the call's own, and its usage and
  cost are the sums of theirs.
- LiteLLM, or a callback, makes another call and gives its answer for that of the first. LiteLLM logs and prices it by
  itself, with another model perhaps. It has a span of its own beneath the first's, which tells of the answer that the
  provider gave to the first, and not of the one that the app gets. (To add it to the first's instead would need to
  tell it from a model that a callback asks, which is the same to see.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from types import CoroutineType
from typing import TYPE_CHECKING
from weakref import ref

from opentelemetry.context import Context, attach, create_key, detach, get_current

from agentops_otel_litellm import readers
from agentops_otel_litellm.call import Cost, Response, Usage
from agentops_otel_litellm.guard import guard
from agentops_otel_litellm.observing.stream_wrapper import unwrapped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token
    from types import TracebackType

    from agentops_otel_litellm.observing.account import Account

Answer = tuple[Response | None, Usage | None, Cost | None]
Failed = Callable[[Exception, "Mapping[str, object]"], None]

_STEP = create_key("agentops_otel_litellm.step")
_TAKING_ANSWER = guard("taking an answer of several")
_WHOLE = frozenset({"input", "output", "total"})
"""What is only known of several answers where it is known of each; the other counts are parts of these."""


@dataclass(slots=True)
class _Own:
    """An answer to the call, as LiteLLM has it."""

    shape: readers.Shape
    given: object
    """The response; of a stream, the reader of its chunks."""
    read: Answer | None = None
    is_refused: bool = False
    """Whether LiteLLM did not like it, and may try again."""


class Answers:
    """Those of one call, and those of other calls that may be given for them."""

    __slots__ = (
        "_gives_anothers",
        "_ids_of_others",
        "_of_others",
        "_own",
        "_read",
        "is_anothers",
        "is_replaced",
        "steps",
        "unfollowed",
    )

    def __init__(self, read: Callable[[readers.Shape, object], Answer]) -> None:
        self._read = read
        self._own: list[_Own] = []
        self._of_others: list[Callable[[], object]] = []
        """References to them: without us, a stream that nobody reads any more is gone."""
        self._ids_of_others: set[str] = set()
        self._gives_anothers = False
        self.steps: set[Step] = set()
        """Those under way. Where one is, at the end, it is in a thread that LiteLLM did not wait for, and will still
        have an answer. (A count could be lost between threads.)
        """
        self.is_replaced = False
        """Whether something else was given for an answer of the call's own."""
        self.is_anothers = False
        """Whether all there is to tell is told by another call, whose answer is this one's: known once it is over."""
        self.unfollowed: float | None = None
        """When the last came, if LiteLLM has not turned to a provider again."""

    def add(self, shape: readers.Shape, given: object) -> None:
        """LiteLLM has an answer. It may change what it has, once there is another."""
        if self.is_of_another(given):
            return
        self._own.append(_Own(shape, _read_later(shape, given)))
        self.unfollowed = perf_counter()
        if len(self._own) > 1:
            for own in self._own:
                self._take(own)

    def keep(self, shape: readers.Shape, given: object) -> None:
        """LiteLLM has an answer that the app will not get. (It may be another call's, which was given for the call's
        own before.)
        """
        if not self.is_of_another(given):
            self._own.append(_Own(shape, _read_later(shape, given)))
            self._take(self._own[-1])

    def come_of_another(self, given: object) -> None:
        """Another call was made, and gave that."""
        self._of_others.append(_reference(given))
        id_ = readers.read_id(given)
        if id_ is not None:
            self._ids_of_others.add(id_)

    def come_of_another_as(self, response: Response | None) -> None:
        """What it gave turned out to be that, if anything."""
        if response is not None and response.id is not None:
            self._ids_of_others.add(response.id)

    def is_of_another(self, given: object) -> bool:
        if not self._of_others:
            return False
        given = unwrapped(given)
        return any(each() is given for each in self._of_others) or readers.read_id(given) in self._ids_of_others

    def drop_last(self, *, refused: bool) -> None:
        """LiteLLM did not like it, or gives something else for it."""
        if not refused:
            self.is_replaced = True
        elif self._own:
            self._own[-1].is_refused = True

    @property
    def has_last(self) -> bool:
        """Whether what LiteLLM has right now was taken already, with what came of a step."""
        return bool(self._own) and not self._own[-1].is_refused

    def give(self, result: object) -> None:
        """The app gets that."""
        self._gives_anothers = self.is_of_another(result)

    def end_with(self, shape: readers.Shape, result: object) -> None:
        """The app gets that, which is no stream. It came in no step, where LiteLLM tried again by itself."""
        self.give(result)
        if self._own and self._own[-1].is_refused:
            self.add(shape, result)

    def settled(self, last: Answer, *, failed: bool) -> Answer:
        """What there is to tell of the call, whose result says `last`."""
        response = last[0]
        anothers = self._gives_anothers or (response is not None and response.id in self._ids_of_others)
        if self.steps:
            return response, None, None
        if not self._own or not (self.is_replaced or failed or len(self._own) > 1):
            self.is_anothers = anothers
            return (response, None, None) if anothers else last
        for own in self._own:
            self._take(own, at_end=True)
        read = [own.read for own in self._own if own.read is not None]
        bought = [answer for answer in read if not _is_cached(answer)]
        return (
            read[-1][0] if anothers else response,
            _sum_of_usages([usage for _, usage, _ in bought]),
            _sum_of_costs([cost for *_, cost in bought]),
        )

    def let_go_of_streams(self) -> None:
        """Keep no stream of LiteLLM's alive: what is read of it at the end is taken along."""
        for own in self._own:
            if readers.is_chunks(own.given):
                own.given.let_go()

    def _take(self, own: _Own, *, at_end: bool = False) -> None:
        """What it says: of a stream, when it is over."""
        if own.read is None and (at_end or not readers.is_chunks(own.given)):
            own.read = self._read(own.shape, own.given)


class Step:
    """LiteLLM goes on with a call by calling a function of its own, in this block.

    What that gives is an answer to the call, but where one came of a step within it already.
    """

    __slots__ = ("_account", "_around", "_context", "_failed", "_kwargs", "_shape", "_token", "is_answered")

    def __init__(
        self, account: Account, shape: readers.Shape, context: Context, failed: Failed, kwargs: Mapping[str, object]
    ) -> None:
        self._account, self._shape = account, shape
        self._around = step_in(context, account)
        self._context: Context | None = Context({**context, _STEP: self})
        self._failed, self._kwargs = failed, kwargs
        self.is_answered = False

    def __enter__(self) -> None:
        self._account.answers_now().steps.add(self)
        self._token: Token[Context] | None = None if self._context is None else attach(self._context)

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._token is not None and get_current() is self._context:
            detach(self._token)
        if self._account.answers is not None:
            self._account.answers.steps.discard(self)
        if isinstance(error, Exception):
            self._failed(error, self._kwargs)
        self._context, self._token, self._kwargs = None, None, {}  # the context refers to the step

    def gave(self, result: object) -> object:
        """The same."""
        answers = self._account.answers  # none where the call is over: LiteLLM did not wait for this
        if answers is not None and self._shape.counts_tokens and not self.is_answered:
            with _TAKING_ANSWER:
                if isinstance(result, CoroutineType):
                    return result
                answers.add(self._shape, result)
                self._is_answered_for()
        return result

    def is_of(self, account: Account) -> bool:
        return self._account is account

    def keeps(self, answer: object) -> None:
        """LiteLLM has an answer that the app will not get."""
        if not self.is_answered:
            self._account.answers_now().keep(self._shape, answer)
        self.is_answered = True
        self._is_answered_for()

    def _is_answered_for(self) -> None:
        step = self._around
        while step is not None:
            step.is_answered = True
            step = step._around  # noqa: SLF001 - another of the kind


def step_in(context: Mapping[str, object], account: Account) -> Step | None:
    """The step of the account's call that a context is inside of."""
    step = context.get(_STEP)
    return step if isinstance(step, Step) and step.is_of(account) else None


def _read_later(shape: readers.Shape, given: object) -> object:
    """The reader of a stream's chunks; of a response, itself."""
    return shape.chunks(given) if readers.is_stream(given) else given


def _reference(thing: object) -> Callable[[], object]:
    try:
        return ref(thing)
    except TypeError:  # a dict, say
        return lambda: thing


def _is_cached(answer: Answer) -> bool | None:
    response = answer[0]
    return response is not None and response.cache_hit


def _sum_of_usages(usages: list[Usage | None]) -> Usage | None:
    """What was counted for all; nothing, where it is not known what was counted for one."""
    known = [vars(usage) for usage in usages if usage is not None]
    if not known or len(known) < len(usages):
        return None
    names = dict.fromkeys(name for counts in known for name in counts)
    return Usage(
        **{
            name: sum(counts.get(name, 0) for counts in known)
            for name in names
            if name not in _WHOLE or all(name in counts for counts in known)
        }
    )


def _sum_of_costs(costs: list[Cost | None]) -> Cost | None:
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) < len(costs) or not all(cost.total for cost in known):
        return None
    return Cost(
        total=sum(cost.total for cost in known),
        source=known[0].source,
        per_unit=any(cost.per_unit for cost in known) or None,
    )
