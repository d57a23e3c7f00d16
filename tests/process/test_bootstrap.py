"""`bootstrap --install`, with the real pip."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.launching import environment
from support.requirements import is_installed


@pytest.mark.skipif(not is_installed("pip"), reason="this environment has no pip")
@pytest.mark.parametrize("offered", [True, False])
def test_installation(tmp_path: Path, *, offered: bool) -> None:
    """Pip installs what the list has, from a directory with packages of these names. Its exit code is passed on."""
    command = [sys.executable, "-m", "agentops_otel_litellm", "bootstrap"]
    wheels, target = tmp_path / "wheels", tmp_path / "target"
    wheels.mkdir()
    listed = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout
    requirements = [line.partition("  # ")[0].partition("==") for line in listed.splitlines()]
    for name, _, version in requirements if offered else ():
        make_wheel(wheels, name, version)
    options = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_TARGET": str(target), "PIP_NO_DEPS": "1"}
    done = subprocess.run(
        [*command, "--install"], env=environment(**options), capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is offered, done.stderr
    installed = {path.name.partition("-")[0].replace("_", "-") for path in target.glob("*.dist-info")}
    assert installed == ({name for name, _, _ in requirements} if offered else set())


def make_wheel(directory: Path, name: str, version: str) -> None:
    """A package with nothing in it."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    with zipfile.ZipFile(directory / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
