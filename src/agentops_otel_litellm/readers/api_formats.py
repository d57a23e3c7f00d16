"""ApiFormat: the readers of an API format, for its requests, responses and chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agentops_otel_litellm.call import Cost, Request, Response, Routing, Target, Usage
from agentops_otel_litellm.readers import prices, requests, responses, streams
from agentops_otel_litellm.readers import target as targets
from agentops_otel_litellm.readers.content.chat import CHAT_CONTENT, TEXT_CONTENT
from agentops_otel_litellm.readers.content.content_readers import ContentReaders
from agentops_otel_litellm.readers.content.inputs import EMBEDDING_CONTENT
from agentops_otel_litellm.readers.estimated_usage import read_counted
from agentops_otel_litellm.readers.usage import read_usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFormat:
    """The readers of the operations with one API format."""

    target: Callable[[Mapping[str, Any], Any], Target] = targets.read_target
    """Parameters, LiteLLM's logging object → target. `routing` has the same arguments."""
    routing: Callable[[Mapping[str, Any], Any], Routing] = targets.read_routing
    request: Callable[[Mapping[str, Any]], Request]
    response: Callable[[Any], Response]
    usage: Callable[[Any], Usage | None] = read_usage
    counted: Callable[[Usage, Any], Usage | None] = read_counted
    """Usage as LiteLLM reports it, LiteLLM's logging object → the part that the provider has counted."""
    cost: Callable[[Any], Cost | None] = responses.read_cost
    chunks: Callable[[Any], streams.Chunks] = streams.DefaultChunks
    """LiteLLM's stream → the reader of its chunks."""
    stream_cost: Callable[[Any], Cost | None] = streams.read_stream_cost
    """LiteLLM's logging object → the cost of a stream that was read to its end."""
    price: Callable[[Any, Any], Cost | None] = responses.no_price
    """Response or chunks, LiteLLM's logging object → the cost, if LiteLLM has no price, or 0, for counted tokens."""
    content: ContentReaders | None = None
    """The readers of message content, if there is any."""

    @property
    def counts_tokens(self) -> bool:
        """Whether the result may have usage."""
        return self.usage is not responses.no_usage


CHAT = ApiFormat(
    request=requests.chat_request,
    response=responses.chat_response,
    chunks=streams.ChatChunks,
    price=prices.price_chat,
    content=CHAT_CONTENT,
)
TEXT = ApiFormat(
    request=requests.text_request,
    response=responses.text_response,
    chunks=streams.TextChunks,
    price=prices.price_chat,
    content=TEXT_CONTENT,
)
EMBEDDING = ApiFormat(
    request=requests.embedding_request,
    response=responses.embedding_response,
    usage=responses.embedding_usage,
    content=EMBEDDING_CONTENT,
)
DEFAULT = ApiFormat(request=requests.default_request, response=responses.default_response)
ROUTE = ApiFormat(
    target=targets.no_target,
    routing=targets.route_routing,
    request=requests.no_request,
    response=responses.no_response,
    usage=responses.no_usage,
    cost=responses.no_cost,
    stream_cost=responses.no_cost,
)
BATCH = replace(ROUTE, target=targets.read_target, routing=targets.no_routing, request=requests.batch_request)
