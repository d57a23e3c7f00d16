"""A release of LiteLLM that lacks a function that is patched: one warning, when the feature that needs it is used."""

from __future__ import annotations

import pytest

from agentops_otel_litellm.patching import patch_points
from agentops_otel_litellm.patching.patch_points import CONSEQUENCES, COOLDOWNS, PATCH_POINTS, ROUTES, Features, missing
from support.logged_warnings import LoggedWarnings

pytestmark = pytest.mark.usefixtures("restored_callbacks")  # a Router registers itself with LiteLLM


def test_patch_points_in_one_module_are_enough_for_a_feature() -> None:
    """Nothing is missing if one module has all patch points of the feature."""
    by_module: dict[str, list[patch_points.PatchPoint]] = {}
    for point in PATCH_POINTS:
        if point.feature == ROUTES:
            by_module.setdefault(point.module, []).append(point)
    assert len(by_module) > 1
    for rows in by_module.values():
        assert missing(ROUTES, rows) == []
        assert missing(ROUTES, rows[1:]) == (rows[:1] if len(rows) > 1 else missing(ROUTES, []))


def test_every_feature_has_a_documented_consequence() -> None:
    assert {point.feature for point in PATCH_POINTS} - {""} == set(CONSEQUENCES)


def test_an_available_feature_is_silent(logged: LoggedWarnings) -> None:
    features = Features()
    features.provide(ROUTES)
    features.require(ROUTES)
    assert logged.take() == []
    features.require(COOLDOWNS)
    assert len(logged.take()) == 1


def test_nothing_is_checked_before_litellm_is_instrumented(logged: LoggedWarnings) -> None:
    features = Features()
    features.provide(ROUTES)
    features.clear()
    features.require(COOLDOWNS)
    assert logged.take() == []
