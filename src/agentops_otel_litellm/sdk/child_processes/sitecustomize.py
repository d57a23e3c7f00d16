"""Starts OpenTelemetry in Python processes that a traced application starts, if their Python has OpenTelemetry.

Python imports the first `sitecustomize` that it finds. On PYTHONPATH, this one precedes that of the launcher
`opentelemetry-instrument`, and so replaces it. There are two differences. In a Python without OpenTelemetry, this one
does nothing, whereas the launcher's prints an error. And this one runs the application's `sitecustomize`, which it
hides.

It also replaces the launcher's in the image for the OpenTelemetry Operator, which puts a directory with all packages on
PYTHONPATH. There, the application's own packages must have priority, so the directory is moved to the end of
`sys.path`. If the application's packages are too old for OpenTelemetry, it is not started.

Any Python may load this file, so it also runs on old versions.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_STARTERS = (
    os.path.join("opentelemetry", "instrumentation", "auto_instrumentation"),
    os.path.join("agentops_otel_litellm", "sdk", "child_processes"),
)
"""Ends of the paths of directories with a `sitecustomize` that starts OpenTelemetry: the launcher's and this one. They
are the same in every virtual environment.
"""


_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(_HERE)))
"""The directory with this package: `site-packages`, or a directory that the operator has injected."""


def _is_injected():
    # type: () -> bool
    return _ROOT in map(os.path.abspath, os.environ.get("PYTHONPATH", "").split(os.pathsep))


def _conflict():
    # type: () -> str | None
    """Why the injected packages cannot be used next to those of the application; `None` if they can."""
    from importlib.metadata import PackageNotFoundError, distributions, version

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    injected = {canonicalize_name(each.metadata["Name"]): each for each in distributions(path=[_ROOT])}
    for name, distribution in sorted(injected.items()):
        if version(name) != distribution.version:
            continue  # the application has its own
        for text in distribution.requires or ():
            required = Requirement(text)
            if required.marker is not None and not required.marker.evaluate({"extra": ""}):
                continue
            try:
                found = version(required.name)
            except PackageNotFoundError:
                continue
            if not required.specifier.contains(found, prereleases=True):
                return "the injected {} {} needs {}{}, but the app has {}".format(
                    name, distribution.version, required.name, required.specifier, found
                )
    return None


def _prefer_packages_of_application():
    # type: () -> bool
    """Move the injected directory to the end of `sys.path`. Returns whether OpenTelemetry can be started. If not, the
    injected directories are removed, also from PYTHONPATH, so that this process and its child processes are as without
    them.
    """
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _ROOT] + [_ROOT]
    if sys.version_info < (3, 10):  # noqa: UP036 - any Python may load this file
        reason = "it needs Python 3.10 or later"
    else:
        try:
            reason = _conflict()
        except Exception as error:  # noqa: BLE001 - the application must start in any case
            reason = "the check of the app's packages failed: {!r}".format(error)
    if reason is None:
        return True
    sys.stderr.write(
        "agentops-otel-litellm: LiteLLM is not traced, because {}. Update the app's packages, or install "
        "agentops-otel-litellm with them.\n".format(reason)
    )
    sys.path[:] = [entry for entry in sys.path if not _is_ours(entry)]
    kept = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if not _is_ours(entry)]
    os.environ.pop("PYTHONPATH", None)
    if kept:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    for name in [name for name, module in sys.modules.items() if _is_ours(getattr(module, "__file__", None) or "")]:
        if name != __name__:
            del sys.modules[name]
    return False


def _is_ours(path):
    # type: (str) -> bool
    return os.path.abspath(path) == _ROOT or os.path.abspath(path).startswith(_ROOT + os.sep)


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
    if not _is_injected() or _prefer_packages_of_application():
        _start_opentelemetry()
finally:
    _run_hidden_sitecustomize()
