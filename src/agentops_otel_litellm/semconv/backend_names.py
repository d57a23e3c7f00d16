"""The vocabularies of backends that read a few facts only by names of their own.

They are written next to `gen_ai`: `AGENTOPS_BACKEND` or `AGENTOPS_SEMCONV` chooses them.
"""

from __future__ import annotations

from agentops_otel_litellm.call import App, Cost, Stream, Usage
from agentops_otel_litellm.semconv.convention import Table, Vocabulary

POSTHOG = Vocabulary(
    Table(App, {"$ai_session_id": "session_id", "posthog.distinct_id": "user_id"}),
    Table(Usage, {"$ai_cache_read_input_tokens": "cache_read", "$ai_cache_creation_input_tokens": "cache_write"}),
    Table(Cost, {"$ai_total_cost_usd": "total"}),
    Table(Stream, {"$ai_time_to_first_token": "first_token"}),
)
"""Properties of PostHog's events: PostHog keeps the attributes that it does not rename. If an event has the total cost,
PostHog does not calculate one.
"""

LAMINAR = Vocabulary(
    Table(
        App,
        {
            "lmnr.association.properties.session_id": "session_id",
            "lmnr.association.properties.user_id": "user_id",
            "lmnr.association.properties.tags": "tags",
        },
    )
)
"""What Laminar's own SDK writes."""

LANGWATCH = Vocabulary(Table(App, {"langwatch.user.id": "user_id", "langwatch.labels": "tags"}))
"""What LangWatch's own SDK writes."""
