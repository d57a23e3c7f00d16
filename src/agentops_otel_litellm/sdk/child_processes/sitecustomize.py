"""Starts OpenTelemetry in a Python process that a traced application starts, if that Python has OpenTelemetry.

On PYTHONPATH it precedes the `sitecustomize` of `opentelemetry-instrument`, and replaces it, with two differences. In a
Python without OpenTelemetry it prints nothing, whereas the launcher's prints an error to stderr. It also runs the
application's own `sitecustomize`, which it would otherwise hide. Any Python may load it, so it also runs on old
versions.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_STARTERS = (
    os.path.join("opentelemetry", "instrumentation", "auto_instrumentation"),
    os.sep.join(_HERE.split(os.sep)[-3:]),
)
"""The ends of directories with a `sitecustomize` that starts OpenTelemetry, whichever environment they are in."""


def _start_opentelemetry():
    # type: () -> None
    try:
        from opentelemetry.instrumentation.auto_instrumentation import initialize
    except ImportError as error:
        if (getattr(error, "name", None) or "opentelemetry").partition(".")[0] == "opentelemetry":
            return
        raise
    # As the launcher does: processes that are started meanwhile must not start OpenTelemetry.
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(entry for entry in entries if entry != _HERE)
    try:
        initialize()
    finally:
        others = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if _HERE in entries and _HERE not in others:
            os.environ["PYTHONPATH"] = os.pathsep.join([_HERE] + [entry for entry in others if entry])


def _run_hidden_sitecustomize():
    # type: () -> None
    try:
        from importlib.machinery import PathFinder
        from importlib.util import module_from_spec
    except ImportError:  # Python 2
        return
    entries = [entry for entry in sys.path if not os.path.abspath(entry).endswith(_STARTERS)]
    spec = PathFinder.find_spec("sitecustomize", entries)
    if spec is not None and spec.loader is not None:
        module = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(module)


try:
    _start_opentelemetry()
finally:
    _run_hidden_sitecustomize()
