"""make, conda, the container, the locks and what describes them agree on versions."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from ccp_analysis import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pinned(name: str) -> dict[str, str]:
    return {plain(package): version for package, version in PINNED.findall(text(name))}


def plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def pythons() -> list[str]:
    """The versions of Python that pyproject.toml allows, the oldest first."""
    low, high = re.fullmatch(
        r">=3\.(\d+),<3\.(\d+)", PROJECT["project"]["requires-python"]
    ).groups()
    return [f"3.{minor}" for minor in range(int(low), int(high))]


def test_every_file_has_the_same_versions_of_python(pythons):
    first, last = pythons[0], pythons[-1]
    make = text("Makefile")
    named = re.search(r"^PYTHON +\?= (.*) python3$", make, re.MULTILINE)[1].split()
    assert named == [f"python{version}" for version in reversed(pythons)]
    limits = tuple(tuple(map(int, version.split("."))) for version in (first, last))
    assert f"{limits[0]} <= sys.version_info[:2] <= {limits[1]}" in make
    assert f"--python-version {first} " in make  # the lock is made for the oldest and all later
    for words in (make, text("README.md")):
        assert f"Python {', '.join(pythons[:-1])} or {last} with" in words
    [conda] = [d for d in yaml.safe_load(text("environment.yml"))["dependencies"] if "python=" in d]
    assert conda.removeprefix("python=") in pythons
    base = re.search(r"^FROM \S+/python:([\d.]+)-slim\S*$", text("Containerfile"), re.MULTILINE)[1]
    assert re.fullmatch(r"\d+\.\d+\.\d+", base)
    assert base.rpartition(".")[0] == conda.removeprefix("python=")
    tool = PROJECT["tool"]
    assert tool["ruff"]["target-version"] == f"py{first.replace('.', '')}"
    assert tool["mypy"]["python_version"] == first
    spec = importlib.util.spec_from_file_location("lock_resolves", ROOT / "tools/lock_resolves.py")
    resolves = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(resolves)
    assert list(resolves.PYTHONS) == pythons
    shown = text("docs/evidence/lock_resolves.md")
    assert f"| {' | '.join(f'Python {version}' for version in pythons)} |" in shown
    for system in resolves.SYSTEMS:
        rows = re.findall(rf"^\| requirements\S* \| {re.escape(system)} \|(.*)$", shown, re.M)
        assert len(rows) == len(resolves.LOCKS)
        assert all(re.fullmatch(r"( \d+ packages \|)+", row) for row in rows), system


def test_every_file_takes_the_same_lock():
    [pip] = [d for d in yaml.safe_load(text("environment.yml"))["dependencies"] if "pip" in d][1:]
    assert pip == {"pip": ["-r requirements.lock"]}
    assert re.search(r"^LOCK +\?= requirements.lock$", text("Makefile"), re.MULTILINE)
    container = text("Containerfile")
    assert "COPY --chown=analyst Makefile requirements.lock ./\nRUN make environment\n" in container
    run, develop = pinned("requirements.lock"), pinned("requirements-dev.lock")
    assert run.items() <= develop.items()
    wanted = [re.split(r"[^A-Za-z0-9._-]", each)[0] for each in PROJECT["project"]["dependencies"]]
    assert {plain(each) for each in wanted} <= set(run)
    assert yaml.safe_load(text("CITATION.cff"))["version"] == __version__
