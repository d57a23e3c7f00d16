"""Starts OpenTelemetry in Python processes that a traced application starts, if their Python has OpenTelemetry.

Python imports the first `sitecustomize` that it finds. On PYTHONPATH, this one precedes that of the launcher
`opentelemetry-instrument`, and so replaces it. There are two differences. In a Python without OpenTelemetry, this one
does nothing, whereas the launcher's prints an error. And this one runs the application's `sitecustomize`, which it
hides.

Any Python may load this file, so it also runs on old versions.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_STARTERS = (
    os.path.join("opentelemetry", "instrumentation", "auto_instrumentation"),
    os.sep.join(_HERE.split(os.sep)[-3:]),
)
"""Ends of the paths of directories with a `sitecustomize` that starts OpenTelemetry: the launcher's and this one. They
are the same in every virtual environment.
"""


def _start_opentelemetry():
    # type: () -> None
    try:
        from opentelemetry.instrumentation.auto_instrumentation import initialize
    except ImportError as error:
        if (getattr(error, "name", None) or "opentelemetry").partition(".")[0] == "opentelemetry":
            return
        raise
    # Processes that the set-up starts must not start OpenTelemetry, so the entry is removed meanwhile.
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
