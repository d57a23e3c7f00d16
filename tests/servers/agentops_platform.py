"""The AgentOps platform's contract: an API key buys a token, a token opens the collector of traces."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from uuid import UUID

from .otlp_receiver import OTLPHandler, OTLPReceiver, ReceivedRequest

TOKEN_ROUTE = "/v3/auth/token"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """One request for a token; the token is `None` where it was refused."""

    body: object
    status: int
    token: str | None


class AgentOpsPlatform(OTLPReceiver):
    """The API and the collector under one address; what is exported with a bad token is kept in `requests` alone."""

    KEY = "6f1d2c3b-4a59-4687-9b0a-c1d2e3f40516"

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.token_status: int | None = None
        """What requests for a token are answered with, whatever their key; `None` keeps the contract."""
        self.token_reply: bytes | None = None
        """What a granted request is answered with, where that is not a token."""
        self.takes_tokens = True
        """False is a collector that trusts another API: it refuses every token."""
        self.token_requests: list[TokenRequest] = []
        self._valid: str | None = None
        self._numbers = itertools.count(1)

    @property
    def environment(self) -> dict[str, str]:
        """What an app sets to send here."""
        return {
            "AGENTOPS_API_KEY": self.KEY,
            "AGENTOPS_API_ENDPOINT": self.url,
            "AGENTOPS_EXPORTER_ENDPOINT": f"{self.url}/v1/traces",
        }

    @property
    def tokens(self) -> list[str]:
        """Those granted, in order."""
        return [request.token for request in self.token_requests if request.token is not None]

    @property
    def authorizations(self) -> list[str | None]:
        """With what each export came, in order of arrival."""
        return [request.headers.get("authorization") for request in self.requests]

    def revoke(self) -> None:
        """No token granted so far is good any more."""
        self._valid = None

    def grant(self, body: object) -> tuple[int, bytes]:
        """Answer a request for a token. Only the newest token is good."""
        status = self.token_status or _verdict(body)
        token = f"canary.token-{next(self._numbers)}" if status == 200 and self.token_reply is None else None
        self._valid = token
        self.token_requests.append(TokenRequest(body=body, status=status, token=token))
        if self.token_reply is not None:
            return status, self.token_reply
        answer = {"token": token, "project_id": "a-project", "project_prem_status": "free"}
        # An API in trouble may well quote what it was asked.
        return status, json.dumps(answer if token else {"error": f"not for {body}"}).encode()

    def accept(self, request: ReceivedRequest) -> int:
        good = self.takes_tokens and self._valid is not None
        if not good or request.headers.get("authorization") != f"Bearer {self._valid}":
            self.requests.append(request)
            return 401
        return super().accept(request)


class _Handler(OTLPHandler):
    server: AgentOpsPlatform

    def answer(self) -> None:
        if self.route != TOKEN_ROUTE:
            return super().answer()
        status, body = self.server.grant(json.loads(self.read_body()))
        return self.reply(status, {"content-type": "application/json"}, body)

    def reply(self, status: int, headers: dict[str, str], body: bytes | None) -> None:
        quoted = self.received_headers.get("authorization", "").encode()  # a refusal may well quote what it refuses
        super().reply(status, headers, body or (b"" if status == 200 else quoted))


def _verdict(body: object) -> int:
    key = body.get("api_key") if isinstance(body, dict) else None
    try:
        UUID(key)
    except (AttributeError, TypeError, ValueError):
        return 400
    return 200 if key == AgentOpsPlatform.KEY else 403
