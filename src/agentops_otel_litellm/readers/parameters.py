"""Reads the parameters of a call, and LiteLLM's logging object, except for the request itself.

- The endpoint: provider, model, server and routing.
- The parameters that LiteLLM adds when it calls one of its own functions, or its Rust core, to continue a call.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from agentops_otel_litellm.call import Routing, Target
from agentops_otel_litellm.readers.values import (
    NO_FIELDS,
    Parameters,
    field,
    fields_of,
    identifier,
    integer,
    keyword,
    mask_secrets,
    model_name,
    number,
    text,
)

# --- the endpoint: provider, model, server and routing ----------------------------------------------------


@lru_cache(maxsize=256)
def host_and_port(url: str) -> tuple[str | None, int | None]:
    """The host and port of a URL. The rest is not recorded: it may contain keys.

    Both are `None` if the URL is invalid, or if it is a key or contains one in place of the host. A word without a
    scheme and a port is no URL, but may be a key that the application passes by mistake.
    """
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        port = parts.port
    except ValueError:
        return None, None
    host = parts.netloc.rpartition("@")[2]
    if mask_secrets(host) != host or not ("//" in url or "." in host or port):
        return None, None
    return parts.hostname, port or {"https": 443, "http": 80}.get(parts.scheme)


@lru_cache(maxsize=256)
def _is_provider(prefix: str, _known: int) -> bool:
    """Whether LiteLLM has a provider with this name. Cached, because the check compares some 160 enum members.

    `_known` is the number of LiteLLM's providers, so that the cached result is not used after a provider was added.
    """
    return prefix in getattr(sys.modules.get("litellm"), "provider_list", ())


def _is_custom(prefix: str, litellm: Any) -> bool:
    """Whether the application has registered a provider with this name. LiteLLM adds it to `provider_list` only when it
    is first called.
    """
    return any(field(each, "provider") == prefix for each in getattr(litellm, "custom_provider_map", None) or ())


def _provider_and_model(model: str, provider: str | None) -> tuple[str | None, str]:
    """The provider and the model that a model's name means. The name may begin with a provider: `provider/model`.

    `provider` is the provider if it is known. If neither states the provider, LiteLLM's price map may have it.
    """
    litellm = sys.modules.get("litellm")
    prefix, slash, rest = model.partition("/")
    if slash and (
        prefix == provider
        or _is_provider(prefix, len(getattr(litellm, "provider_list", ())))
        or _is_custom(prefix, litellm)
    ):
        return provider or prefix, rest.removeprefix("responses/").removeprefix("chat_completions/")
    if provider is None:
        known = getattr(litellm, "model_cost", {}).get(model)
        provider = _provider_of_prices(text(known.get("litellm_provider"))) if isinstance(known, dict) else None
    return provider, model


def _provider_of_prices(priced: str | None) -> str | None:
    """Convert the name of a provider in the price map to LiteLLM's name, such as `vertex_ai-language-models` to
    `vertex_ai`.
    """
    if priced is None:
        return None
    return priced.partition("-")[0] if priced.endswith("models") else priced.removesuffix("_converse")


def read_target(parameters: Parameters, logging: Any) -> Target:
    """Read the provider, model and server from LiteLLM's logging object, or else from the parameters."""
    details = getattr(logging, "model_call_details", None) or NO_FIELDS
    provider = keyword(details.get("custom_llm_provider")) if details else None
    if provider is None and "custom_llm_provider" in parameters:
        provider = keyword(parameters["custom_llm_provider"])
    model = details.get("model") if "custom_llm_provider" in details else None
    if model is not None:
        model = (model if type(model) is str else text(model)) or None
    written = parameters.get("model")
    written = (written if type(written) is str else text(written)) or None
    if written is not None and (model is None or provider is None):
        provider, stripped = _provider_and_model(written, provider)
        model = model or stripped
    if model is not None and provider is not None and written is not None and model.startswith(f"{provider}/"):
        # If the response is from LiteLLM's cache, the model in the logging object still has the provider as a prefix.
        stripped = _provider_and_model(written, provider)[1]
        model = stripped if model == f"{provider}/{stripped}" else model
    return _target(provider, model, _url(parameters, details))


@lru_cache(maxsize=256)
def _target(provider: str | None, model: str | None, url: str | None) -> Target:
    """The target with this provider, model and URL. Most calls of a process have the same few targets."""
    address, port = (None, None) if url is None else host_and_port(url)
    provider = provider and mask_secrets(provider)
    return Target(provider=provider, model=model_name(model), address=address, port=port if address else None)


def _url(parameters: Parameters, details: Mapping[str, Any]) -> str | None:
    """The URL to which LiteLLM sends the request, or that the application passed, if LiteLLM has none yet. The query is
    left out, because it may contain a key.
    """
    url: Any = None
    for name in ("additional_args", "litellm_params"):
        arguments = details.get(name)
        url = arguments.get("api_base") if isinstance(arguments, dict) else None
        if url:
            break
    resolved = str(url) if url else None
    for name in ("api_base", "base_url"):
        if resolved is None and name in parameters:
            resolved = text(parameters[name])
    return resolved.partition("?")[0] if resolved else None


def read_routing(parameters: Parameters, logging: Any) -> Routing:
    """Read LiteLLM's id and type of the call, and the Router's model group and deployment, if it routed the call."""
    details = getattr(logging, "model_call_details", None) or NO_FIELDS
    model_group = None
    # The Router writes to `litellm_metadata` if the provider's API has a parameter `metadata`.
    for name in ("metadata", "litellm_metadata"):
        metadata = parameters.get(name)
        if model_group is None and isinstance(metadata, dict):
            model_group = model_name(metadata.get("model_group"))
    model_info = parameters.get("model_info") or (details.get("litellm_params") or parameters).get("model_info")
    call_id, call_type = details.get("litellm_call_id"), getattr(logging, "call_type", None)
    return Routing(
        call_id=(call_id if type(call_id) is str else text(call_id)) or text(parameters.get("litellm_call_id")),
        call_type=(call_type if type(call_type) is str else text(call_type)) or None,
        model_group=model_group,
        model_id=text(field(model_info, "id")) if model_info else None,
    )


def read_routed_request(arguments: Parameters) -> Parameters | None:
    """The request that a function of the Router's Rust core received; `None` if it is not recorded as a route."""
    request, plan = arguments.get("request"), arguments.get("plan")
    # Asynchronous endpoints such as moderation choose a deployment, but neither retry nor fall back. They are not
    # recorded as routes, because earlier releases of LiteLLM do not route them.
    is_direct = getattr(plan, "single_attempt", False) is True and getattr(plan, "sync", False) is False
    return request if isinstance(request, Mapping) and not is_direct else None


def read_cooldown_time(arguments: Parameters) -> float | None:
    """The seconds of a deployment's cooldown, from the arguments of LiteLLM's method that puts it into cooldown.

    If `cooldown_time` is missing or 0, they are the default of the cooldown cache, which is the argument `self` of the
    method.
    """
    return number(arguments.get("cooldown_time")) or number(
        getattr(arguments.get("self"), "default_cooldown_time", None)
    )


def read_cooldown(events: Any) -> tuple[str | None, float | None]:
    """The id of the deployment that the Router's Rust core has put into cooldown, and the seconds, from its `events`.

    Both are `None` if it has put none into cooldown.
    """
    for event in events:
        if field(event, "kind") == "cooldown_set":
            return text(field(event, "deployment_id")), number(field(event, "cooldown_time"))
    return None, None


def is_client_of(client: Any, target: Target) -> bool:
    """Whether OpenAI's `client` sends its requests to the target's server. True if either server is unknown."""
    url = getattr(client, "base_url", None)
    return url is None or target.address is None or host_and_port(str(url)) == (target.address, target.port)


def is_of_a_tool(logging: Any) -> bool:
    """Whether the logging object is of a tool that LiteLLM calls because a model requested it."""
    return str(getattr(logging, "call_type", "")).endswith(("_mcp_tool", "_mcp_tools"))


def is_sent_to_proxy(logging: Any) -> bool:
    """Whether the logging object is of a call whose provider is a LiteLLM proxy."""
    return (getattr(logging, "model_call_details", None) or NO_FIELDS).get("custom_llm_provider") == "litellm_proxy"


def read_cache_hit(logging: Any) -> bool:
    """Whether LiteLLM's logging object reports that the response is from LiteLLM's cache. Older releases do not."""
    details = getattr(logging, "caching_details", None)
    return details is not None and field(details, "cache_hit") is True


# --- parameters by which LiteLLM passes a call on to its own functions ----------------------------------------


def read_logging_object(parameters: Parameters) -> Any:
    """LiteLLM's logging object, which LiteLLM passes to each of its functions that continues the call."""
    return parameters.get("litellm_logging_obj")


def is_by_twin(parameters: Parameters, function: str) -> bool:
    """Whether LiteLLM's asynchronous variant of `function` calls it. For example, `acompletion` calls `completion` with
    the parameter `acompletion=True`.
    """
    return parameters.get(f"a{function}") is True


def read_messages(parameters: Parameters) -> Any:
    """The object that was passed as `messages`, to compare it by identity."""
    return parameters.get("messages")


def is_mocked(parameters: Parameters) -> bool:
    """Whether the application has set a mock response: then LiteLLM calls no provider, and invents the usage."""
    return bool(parameters.get("mock_response") or parameters.get("mock_tool_calls"))


def read_id(result: Any) -> str | None:
    """The provider's id of a response."""
    return identifier(fields_of(result).get("id"))


def is_of_model_list(parameters: Parameters) -> bool:
    """Whether these are parameters that LiteLLM passes on in a call with a `model_list`, of which it uses the first
    model that responds.
    """
    return "deployments" in parameters


def read_fallback_depth(parameters: Parameters) -> int:
    """How many times the Router has fallen back to a different model group or order before it makes this call."""
    return integer(parameters.get("fallback_depth")) or 0


# --- calls that LiteLLM makes in Rust -------------------------------------------------------------------------


# Route → LiteLLM's function, if its name differs.
_FUNCTIONS = {"chat_completions": "completion", "embeddings": "embedding", "messages": "anthropic_messages"}


def read_native_function(dispatcher: Any) -> str:
    """The name of the LiteLLM function for which `dispatcher` calls the Rust core; `completion` also for
    `acompletion`.
    """
    route = getattr(dispatcher, "route", None)
    function = _FUNCTIONS.get(route) if isinstance(route, str) else None
    return function or text(route) or "native"


def read_native_parameters(request: Any, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The application's parameters, by name. Those that it passed by position are in `request.base`."""
    return {**(getattr(request, "base", None) or {}), **kwargs}


def has_declined(error: BaseException | None) -> bool:
    """Whether the Rust core raised `error` because it does not support the call. Then it has sent no request."""
    return type(error).__name__ == "RustBridgeDeclined"
