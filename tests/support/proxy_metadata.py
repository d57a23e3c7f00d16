"""Metadata that LiteLLM's proxy adds to calls."""

from __future__ import annotations

PROXY = {
    "user_api_key": "canary-key",
    "user_api_key_hash": "canary-hash",
    "user_api_key_user_email": "canary@example.com",
    "user_api_key_auth": "canary-auth",
    "user_api_key_spend": 4711.25,
    "headers": {"x-canary": "canary"},
    "user_api_key_alias": "the-key",
    "user_api_key_user_id": "the-owner",
    "user_api_key_end_user_id": "the-end-user",
    "user_api_key_team_id": "team-1",
    "user_api_key_team_alias": "the-team",
    "user_api_key_org_id": "org-1",
    "user_api_key_org_alias": "the-organization",
    "user_api_key_project_id": "project-1",
    "user_api_key_project_alias": "the-project",
}
