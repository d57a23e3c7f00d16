"""Whether exports failed. The SDK's batch processors discard the results of their exporters."""

from __future__ import annotations

from collections import deque
from functools import update_wrapper
from typing import Any, TypeVar

from agentops_otel_litellm.fork import FORK

Exporter = TypeVar("Exporter", bound="type[Any]")


class ExportFailures:
    """Whether an export has failed in this process since the last query."""

    def __init__(self) -> None:
        self._failed: deque[bool] = deque(maxlen=1)  # each of its methods is atomic
        FORK.register("export errors", self.take_failure)

    def record_failure(self) -> None:
        self._failed.append(True)

    def take_failure(self) -> bool:
        """Whether an export has failed since the last call of this method."""
        try:
            return self._failed.pop()
        except IndexError:
            return False


EXPORT_FAILURES = ExportFailures()


def recording_failures(exporter: Exporter) -> Exporter:
    """Return a subclass of an exporter class that records failed exports. Classes of metric readers are returned as
    they are.
    """
    if not hasattr(exporter, "export"):
        return exporter

    class RecordingFailures(exporter):  # type: ignore[misc,valid-type]  # whichever it is
        """Records each export that fails."""

        def export(self, *batch: object, **options: object) -> object:
            try:
                result = super().export(*batch, **options)
            except BaseException:
                EXPORT_FAILURES.record_failure()
                raise
            if getattr(result, "name", None) == "FAILURE":
                EXPORT_FAILURES.record_failure()
            return result

    update_wrapper(RecordingFailures, exporter, updated=())
    return RecordingFailures  # type: ignore[return-value]  # a subclass of the same exporter
