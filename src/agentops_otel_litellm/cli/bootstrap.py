"""`bootstrap`: lists, or installs, OpenTelemetry's instrumentations for the libraries of the application.

OpenTelemetry's own command `opentelemetry-bootstrap` also selects instrumentations of LLM libraries, which would trace
the calls that LiteLLM makes a second time, and some for libraries that LiteLLM installs but few applications use. This
one selects from the same list by the table `KINDS`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import NamedTuple

from opentelemetry.instrumentation.bootstrap_gen import default_instrumentations, libraries
from packaging.requirements import Requirement

CLIENT, FRAMEWORK, DATABASE = "HTTP client", "web framework", "database"
QUEUE, RPC, THREADS = "message queue", "RPC", "context in threads"
PREFIX = "opentelemetry-instrumentation-"
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("aiohttp-client", "boto", "botocore", "httpx", "requests", "urllib", "urllib3"), CLIENT),
    **dict.fromkeys(("aiohttp-server", "django", "falcon", "fastapi", "flask"), FRAMEWORK),
    **dict.fromkeys(("pyramid", "starlette", "tornado"), FRAMEWORK),
    **dict.fromkeys(("aiopg", "asyncpg", "cassandra", "mysql", "mysqlclient", "psycopg", "psycopg2"), DATABASE),
    **dict.fromkeys(("pymemcache", "pymongo", "pymssql", "pymysql", "redis", "sqlalchemy"), DATABASE),
    **dict.fromkeys(("elasticsearch", "sqlite3", "tortoiseorm"), DATABASE),
    **dict.fromkeys(("aio-pika", "aiokafka", "boto3sqs", "celery", "confluent-kafka"), QUEUE),
    **dict.fromkeys(("kafka-python", "pika", "remoulade"), QUEUE),
    "grpc": RPC,
    "threading": THREADS,
}
"""Instrumentation, without `PREFIX` → the kind of library that it is for."""
_IRRELEVANT = frozenset({"pydantic"})
"""Libraries that do not show that the application uses what OpenTelemetry's list has for them, here Tortoise ORM."""


class Suggestion(NamedTuple):
    """An instrumentation that fits the application and is not installed."""

    requirement: str
    """Such as `opentelemetry-instrumentation-httpx==0.66b2`, of the release that fits the installed OpenTelemetry."""
    kind: str
    library: str
    """The application's library; empty for a part of Python."""

    def __str__(self) -> str:
        return f"{self.requirement}  # {self.kind}{f': {self.library}' if self.library else ''}"


def suggestions() -> list[Suggestion]:
    """The instrumentations for the installed libraries, without those that are installed."""
    found: dict[str, Suggestion] = {}
    for suggestion in _fitting():
        name = Requirement(suggestion.requirement).name
        if _installed(name) is None:
            found.setdefault(name, suggestion)
    return [found[name] for name in sorted(found)]


def bootstrap(*, install: bool) -> tuple[str, int]:
    """List the instrumentations as a requirements file, or install them with pip or uv. Returns the text to print, and
    the exit code, which is that of pip or uv.
    """
    chosen = suggestions()
    if not chosen:
        return "No instrumentation is missing for the installed libraries.", 0
    if not install:
        return "\n".join(map(str, chosen)), 0
    command = _installer()
    if command is None:
        requirements = " ".join(each.requirement for each in chosen)
        return f"Neither pip nor uv is available for {sys.executable}. Install: {requirements}", 1
    done = subprocess.run([*command, *(each.requirement for each in chosen)], check=False)  # noqa: S603 - our own names
    return "", done.returncode


def _fitting() -> Iterator[Suggestion]:
    for requirement in default_instrumentations:
        kind = _kind_of(requirement)
        if kind is not None:
            yield Suggestion(requirement, kind, "")
    for row in libraries:
        library, kind = Requirement(row["library"]), _kind_of(row["instrumentation"])
        found = _installed(library.name)
        if kind is None or library.name in _IRRELEVANT or found is None:
            continue
        if library.specifier.contains(found, prereleases=True):
            yield Suggestion(row["instrumentation"], kind, library.name)


def _kind_of(requirement: str) -> str | None:
    return KINDS.get(Requirement(requirement).name.removeprefix(PREFIX))


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _installer() -> list[str] | None:
    """The beginning of the command that installs packages for this Python; `None` if there is none."""
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install"]
    uv = shutil.which("uv")
    return None if uv is None else [uv, "pip", "install", "--python", sys.executable]
