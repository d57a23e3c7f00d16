"""Jobs and stored objects of providers: batches, files, fine-tuning, vector stores, containers, evaluations and
assistants. Also HTTP requests that LiteLLM passes through to the provider unchanged.

Ids, states, counts and sizes are read; names and contents are not. The tokens in a finished batch are not read: the
call that retrieves the batch did not use them, and several calls may retrieve the same batch.
"""

from __future__ import annotations

from typing import Any

from agentops_otel_litellm.call import Request, Response
from agentops_otel_litellm.readers.api_format import ApiFormat, cache_hit, no_cost, no_usage
from agentops_otel_litellm.readers.media import file_size
from agentops_otel_litellm.readers.streams import Chunks, copy_attributes
from agentops_otel_litellm.readers.values import (
    Parameters,
    boolean,
    count,
    field,
    fields_of,
    identifier,
    integer,
    keyword,
    model_name,
    read_fields,
    rows_for,
)

# Parameters with ids. The first of them that a request has is the id of the requested object; any others are the ids of
# objects that contain it.
_IDS = (
    "run_id",
    "file_id",
    "batch_id",
    "fine_tuning_job_id",
    "eval_id",
    "skill_id",
    "assistant_id",
    "thread_id",
    "container_id",
    "interaction_id",
)
# Fields with the id of the object. In the response to a deletion, the field may be `run_id` or `eval_id`.
_RESPONSE_IDS = ("id", "run_id", "eval_id")


def _endpoint(value: Any) -> str | None:
    """A path of the provider's API, such as `/v1/embeddings`; `None` for a value with characters that no path has."""
    path = value.strip("/") if isinstance(value, str) else ""
    return f"/{path}" if keyword(path.replace("/", ".")) else None


_REQUEST = rows_for(
    Request,
    {
        "vector_store_id": ("data_source_id", identifier),
        "input_file_id": ("input_file_id", identifier),
        "training_file": ("input_file_id", identifier),
        "file_ids": ("files_count", count),
        "files": ("files_count", count),
        "file": ("file_size", file_size),
        "file_data": ("file_size", file_size),
        "endpoint": ("endpoint", _endpoint),
        "purpose": ("purpose", keyword),
        "completion_window": ("completion_window", keyword),
        "limit": ("page_size", integer),
        "tools": ("tools_count", count),
        "messages": ("messages_count", count),
        "assistant_id": ("agent_id", identifier),
    },
)
_RESPONSE = rows_for(
    Response,
    {
        "status": ("job_status", keyword),
        "bytes": ("size", integer),
        "usage_bytes": ("size", integer),
        "trained_tokens": ("trained_tokens", integer),
        "data": ("results_count", count),
        "has_more": ("has_more", boolean),
        "deleted": ("deleted", boolean),
        "type": ("deleted", lambda kind: True if kind == "skill_deleted" else None),
    },
)
_REQUESTS = rows_for(
    Response,
    {
        "total": ("requests_count", integer),
        "completed": ("requests_completed", integer),
        "failed": ("requests_failed", integer),
    },
)
_FILES = rows_for(
    Response,
    {
        "total": ("files_count", integer),
        "completed": ("files_completed", integer),
        "failed": ("files_failed", integer),
    },
)


def job_request(parameters: Parameters) -> Request:
    """Read the request of an operation on a stored object."""
    ids = (identifier(parameters.get(name)) for name in _IDS)
    return Request(
        model=model_name(parameters.get("model")),
        stream=parameters.get("stream") is True or None,
        resource_id=next((known for known in ids if known is not None), None),
        **read_fields(parameters, _REQUEST),
    )


def job_response(result: Any) -> Response:
    """Read a stored object, or a list of stored objects."""
    response = fields_of(result)
    return Response(
        id=next(filter(None, (identifier(response.get(name)) for name in _RESPONSE_IDS)), None),
        model=model_name(response.get("model")),
        cache_hit=cache_hit(result),
        **read_fields(response, _RESPONSE),
        **read_fields(fields_of(response.get("request_counts")), _REQUESTS),
        **read_fields(fields_of(response.get("file_counts")), _FILES),
    )


# --- HTTP responses, whose bodies are not read ----------------------------------------------------------------


def file_content_response(result: Any) -> Response:
    """Read the size of a downloaded file. The result is bytes, or LiteLLM's object with the HTTP client's response."""
    return Response(size=len(result)) if isinstance(result, bytes) else http_response(getattr(result, "response", None))


_HTTP_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def http_request(parameters: Parameters) -> Request:
    """Read a pass-through request. The path is not read, because the application may put anything into it."""
    return Request(
        model=model_name(parameters.get("model")),
        http_method=_http_method(parameters.get("method")),
    )


def _http_method(value: Any) -> str | None:
    return value.upper() if isinstance(value, str) and value.upper() in _HTTP_METHODS else None


def http_response(result: Any) -> Response:
    """Read the status of an HTTP response, and its size if the body was received."""
    content = field(result, "_content")  # httpx sets this attribute when it has received the body
    return Response(
        http_status=integer(getattr(result, "status_code", None)),
        size=len(content) if isinstance(content, bytes) else None,
    )


class PassthroughChunks(Chunks):
    """Reads the HTTP status of a stream of bytes, and its size if the HTTP client has received all of it."""

    __slots__ = ("_stream",)

    def __init__(self, stream: Any, *, captures_content: bool = False) -> None:
        super().__init__(stream, captures_content=captures_content)
        self._stream = stream

    def response(self) -> Response:
        return http_response(self._stream)

    def release(self) -> None:
        self._stream = copy_attributes(self._stream, "status_code", "_content")


JOB = ApiFormat(request=job_request, response=job_response, usage=no_usage, cost=no_cost)
RUN = ApiFormat(request=job_request, response=job_response, cost=no_cost)
"""A run of an assistant. LiteLLM's function returns when the run has ended, so the run's usage is of this call."""
FILE_CONTENT = ApiFormat(request=job_request, response=file_content_response, usage=no_usage, cost=no_cost)
PASSTHROUGH = ApiFormat(
    request=http_request,
    response=http_response,
    usage=no_usage,
    cost=no_cost,
    chunks=PassthroughChunks,
    stream_cost=no_cost,
)
