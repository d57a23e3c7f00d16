"""The endpoint of a call, from its parameters and LiteLLM's logging object: provider, model, server and routing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from agentops_otel_litellm.call import Routing, Target
from agentops_otel_litellm.readers.values import NO_FIELDS, Parameters, field, keyword, model_name, number, text


@lru_cache(maxsize=256)
def _host_and_port(url: str) -> tuple[str | None, int | None]:
    """The host and port only, because paths and queries of these URLs may contain keys."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        port = parts.port
    except ValueError:  # not a URL, for which LiteLLM raises an error later
        return None, None
    return parts.hostname, port or {"https": 443, "http": 80}.get(parts.scheme)


@lru_cache(maxsize=256)
def _is_provider(prefix: str, _known: int) -> bool:
    """Whether LiteLLM has a provider of that name, cached because the check iterates over some 160 enum members."""
    return prefix in getattr(sys.modules.get("litellm"), "provider_list", ())


def _is_custom(prefix: str, litellm: Any) -> bool:
    """Whether the application has registered a provider of that name, which LiteLLM lists after its first call only."""
    return any(field(each, "provider") == prefix for each in getattr(litellm, "custom_provider_map", None) or ())


def _provider_and_model(model: str, provider: str | None) -> tuple[str | None, str]:
    """Split LiteLLM's `provider/model`, or look a name without a provider up in its price map, which is in memory."""
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
    """LiteLLM's provider for a provider of the price map: `vertex_ai` for `vertex_ai-language-models`."""
    if priced is None:
        return None
    return priced.partition("-")[0] if priced.endswith("models") else priced.removesuffix("_converse")


def read_target(parameters: Parameters, logging: Any) -> Target:
    """The provider, model and server that LiteLLM resolved (in its `logging` object), else those of the parameters."""
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
        # For a response from its cache, LiteLLM has the name with the provider.
        stripped = _provider_and_model(written, provider)[1]
        model = stripped if model == f"{provider}/{stripped}" else model
    address, port = _server(parameters, details)
    return Target(provider=provider, model=model_name(model), address=address, port=port)


def _server(parameters: Parameters, details: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """The host and port to which LiteLLM sends the request, or to which the application wants it to be sent."""
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
    address, port = _host_and_port(resolved.partition("?")[0]) if resolved else (None, None)
    return address, port if address else None


def read_routing(parameters: Parameters, logging: Any) -> Routing:
    """LiteLLM's identifiers of the call, and of the deployment to which the Router sends it."""
    details = getattr(logging, "model_call_details", None) or NO_FIELDS
    model_group = None
    # If `metadata` is a parameter of the provider's API, the Router writes to `litellm_metadata`.
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


def no_target(_parameters: Parameters, _logging: Any) -> Target:
    """An empty target: the operation may call several models."""
    return Target()


def no_routing(_parameters: Parameters, _logging: Any) -> Routing:
    """An empty routing: each call that the operation makes has its own."""
    return Routing()


def route_routing(parameters: Parameters, _logging: Any) -> Routing:
    """The routing of a request to the Router, whose model is the name of a model group."""
    return Routing(model_group=model_name(parameters.get("model")))


def read_routed_request(arguments: Parameters) -> Parameters | None:
    """The request that a function of the Router's Rust core receives.

    It is `None` for asynchronous endpoints that choose a deployment and neither retry nor fall back, such as
    moderation: these are not recorded as routes, because they are not routed in earlier releases of LiteLLM either.
    """
    request, plan = arguments.get("request"), arguments.get("plan")
    is_direct = getattr(plan, "single_attempt", False) is True and getattr(plan, "sync", False) is False
    return request if isinstance(request, Mapping) and not is_direct else None


def read_cooldown_time(arguments: Parameters) -> float | None:
    """The time in the parameters of the method that puts a deployment into cooldown, or the default of its cache."""
    return number(arguments.get("cooldown_time")) or number(
        getattr(arguments.get("self"), "default_cooldown_time", None)
    )


def read_cooldown(events: Any) -> tuple[str | None, float | None]:
    """The id of the deployment that the Router's Rust core puts into cooldown, and the seconds, from its events."""
    for event in events:
        if field(event, "kind") == "cooldown_set":
            return text(field(event, "deployment_id")), number(field(event, "cooldown_time"))
    return None, None


def is_client_of(client: Any, target: Target) -> bool:
    """Whether OpenAI's `client` sends its requests to the server of the target, as far as that is known."""
    url = getattr(client, "base_url", None)
    return url is None or target.address is None or _host_and_port(str(url)) == (target.address, target.port)


def is_of_a_tool(logging: Any) -> bool:
    """Whether the logging object is for a tool that LiteLLM calls for a model, not for a call of the model."""
    return str(getattr(logging, "call_type", "")).endswith(("_mcp_tool", "_mcp_tools"))
