"""Records of work around calls: why a request was rejected, and which attributes each vocabulary has."""

from __future__ import annotations

from pathlib import Path

import litellm
import pytest

from agentops_otel_litellm.proxy.rejections import read_check, read_reason, rejection_failure
from agentops_otel_litellm.readers import interventions
from agentops_otel_litellm.semconv import VOCABULARIES
from agentops_otel_litellm.semconv.work_attributes import REJECTION, WORK, work_vocabulary
from agentops_otel_litellm.work import Check, Guardrail, ToolUse, Work
from support.project import ROOT

PAGE = Path(ROOT / "docs" / "proxy-work.md").read_text("utf-8")

types = pytest.importorskip("litellm.proxy._types", reason="this LiteLLM's proxy cannot be imported")


def proxy_error(kind: object, code: int) -> Exception:
    """An exception of the proxy, whose text quotes a key."""
    error: Exception = types.ProxyException(message="canary-key", type=kind, param="key", code=code)
    return error


KINDS = types.ProxyErrorTypes
CASES = [
    ("token_not_found_in_db", 401, "unknown_key", "auth"),
    ("expired_key", 401, "expired_key", "auth"),
    ("budget_exceeded", 429, "over_budget", "quota"),
    ("key_model_access_denied", 403, "model_not_allowed", "auth"),
    ("team_model_access_denied", 401, "model_not_allowed", "auth"),
    ("auth_error", 401, "auth_error", "auth"),
    ("auth_error", 429, "over_rate_limit", "rate_limit"),
]


@pytest.mark.parametrize(("kind", "status", "reason", "category"), CASES)
def test_errors_of_the_proxy(kind: str, status: int, reason: str, category: str) -> None:
    error = proxy_error(KINDS(kind), status)
    failure = rejection_failure(error)
    assert read_reason(error) == reason
    assert failure.category == category
    assert failure.status_code == status
    assert read_check(error) == Check(outcome="rejected", reason=reason)
    assert "canary" not in repr(failure)


def test_other_rejections() -> None:
    budget = litellm.BudgetExceededError(current_cost=2.0, max_budget=1.0)
    assert read_reason(budget) == "over_budget"
    assert rejection_failure(budget).category == "quota"
    limit = litellm.RateLimitError("canary", "openai", "gpt-4o")
    assert read_reason(limit) == "over_rate_limit"
    assert read_reason(proxy_error("canary key with spaces", 401)) is None


def test_a_check_that_fails_is_not_a_rejection() -> None:
    """The database or the identity provider is down."""
    assert read_check(proxy_error(KINDS.no_db_connection, 503)) == Check(outcome="failed", reason="no_db_connection")
    assert read_check(ValueError("canary")) == Check(outcome="failed")
    assert read_check(KeyboardInterrupt()) == Check()
    assert read_check(None) == Check(outcome="accepted")


@pytest.mark.parametrize(
    ("vocabulary", "expected"),
    [
        ("gen_ai", {"gen_ai.tool.name": "add", "gen_ai.operation.name": "execute_tool"}),
        ("llm", {"litellm.tool.is_error": False}),
        ("openinference", {"openinference.span.kind": "TOOL"}),
        ("agentops", {"agentops.span.kind": "tool"}),
    ],
)
def test_each_vocabulary(vocabulary: str, expected: dict[str, object]) -> None:
    work = Work(
        kind="tool",
        name="execute_tool add",
        operation="execute_tool",
        started_at=1,
        tool_use=ToolUse(name="add", is_error=False),
    )
    assert work_vocabulary([VOCABULARIES[vocabulary]]).attributes(work) == expected


def test_unknown_is_absent() -> None:
    work = Work(kind="guardrail", name="apply_guardrail a", started_at=1, guardrail=Guardrail(name="a"))
    assert work_vocabulary([VOCABULARIES["llm"]]).attributes(work) == {"litellm.guardrail.name": "a"}
    assert work_vocabulary([]).attributes(work) == {}


def test_the_page_has_each_attribute() -> None:
    names = {name for vocabulary in (*WORK.values(), REJECTION) for name in vocabulary if not name.startswith("llm.")}
    assert {name for name in names if f"`{name}`" not in PAGE} == set()


def test_exceptions_without_weak_references_or_hash() -> None:
    """They are not marked, and reading another exception does not fail."""

    class UnhashableError(Exception):
        __hash__ = None  # type: ignore[assignment]

    marked = proxy_error(KINDS.auth_error, 400)
    for error in (ValueError(), UnhashableError(), marked):
        interventions.mark_intervention(error)
    assert interventions.added_names(marked) == (interventions.INTERVENTION,)
    assert interventions.added_names(ValueError()) == interventions.added_names(UnhashableError()) == ()
