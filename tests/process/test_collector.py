"""What `docs/collector.md` says to run sends traces, metrics and events to whatever takes OTLP."""

from __future__ import annotations

from support.backends import run_agent, shell_blocks
from support.servers.otlp_receiver import OTLPReceiver


def test_whatever_takes_otlp_is_told_all() -> None:
    """Spans of each call, beneath that of the app's task; and nothing of what was said."""
    (run,) = shell_blocks("collector.md")
    with OTLPReceiver() as receiver:
        run_agent(run, {"4318": receiver.port})
        assert sorted(span.name for span in receiver.spans) == [
            "answer",
            *["chat gpt-4o"] * 3,
            "chat gpt-4o-mini",
            "embeddings text-embedding-3-small",
            "rerank rerank-english-v3.0",
            "retrieval vs_1",
        ]
        assert "gen_ai.client.operation.duration" in {point.name for point in receiver.metrics}
        received = b"".join(request.body for request in receiver.requests)
        assert [word for word in (b"sunny", b"weather", b"Rome") if word in received] == []
