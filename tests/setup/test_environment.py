"""The first command on a fresh machine: Makefile and requirements.lock, without a network."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.simulation

ROOT = Path(__file__).parents[2]
SHIM = "#!/bin/sh\necho 'shim: command not found' >&2\nexit 127\n"
PYTHON = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
OTHER_PYTHON = f"""#!/bin/sh
if [ "$1" = -V ]; then echo "Python VERSION"; exit; fi
shift
exec "{sys.executable}" -c \
    'import sys; sys.version_info = VERSION_INFO; exec(sys.argv.pop(1))' "$@"
"""
UV = """#!/bin/sh
case "$1" in
--version) echo "uv 0.0.0" ;;
cache) echo "$HOME/.cache/uv" ;;
venv) "$4" -m venv --without-pip "$5" ;;
pip) INSTALL ;;
esac
"""
SNAKEMAKE = """#!/bin/sh
echo "snakemake $*"
if [ "$1" = --unlock ]; then rm .snakemake/locks/*; fi
"""
GENERATOR = """import pathlib, sys
option, out = sys.argv[1:]
assert option == "--out"
pathlib.Path(out).mkdir(parents=True)
pathlib.Path(out, "baseline.csv").write_text("drawn")
pathlib.Path(out, "planted_faults.csv").write_text("known to the tests only")
"""


class Project:
    """A copy of what the first command needs, with stand-ins for Python, uv and Snakemake."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.bin = folder / "bin"
        self.home = folder / "home"
        for path in (self.root, self.bin, self.home):
            path.mkdir()
        shutil.copy(ROOT / "Makefile", self.root)
        self.write("requirements.lock", "# nothing\n")
        self.write("requirements-dev.lock", "# nothing\n")
        self.write("config/study.yaml", "id: trial\ndata_status: real\n")
        for name in ("python3.13", "python3.12", "python3.11"):
            self.program(name, SHIM)
        self.program("python3", PYTHON)
        self.program("uv", UV.replace("INSTALL", ":"))
        self.program("fake-snakemake", SNAKEMAKE)
        self.stamp = self.root / ".venv/.complete"

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.home), "LC_ALL": "C"}

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def program(self, name: str, text: str) -> Path:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["make", *arguments, "SNAKEMAKE=fake-snakemake"]
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on the error stream that is not make's own."""
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_first_command_makes_the_environment_and_the_second_keeps_it(project: Project) -> None:
    first = project.make("run")
    assert first.returncode == 0, first.stderr
    assert "Making .venv" in first.stdout
    assert first.stdout.endswith("snakemake --cores 4\n")
    digest = hashlib.sha256((project.root / "requirements.lock").read_bytes()).hexdigest()
    venv = project.root.resolve() / ".venv"
    assert project.stamp.read_text() == f"{platform.python_version()} {venv} {digest}\n"
    assert project.make("run").stdout == "snakemake --cores 4\n"


@pytest.mark.skipif(importlib.util.find_spec("ensurepip") is None, reason="no venv here")
def test_without_uv_venv_and_pip_make_it(project: Project) -> None:
    project.program("uv", SHIM)
    done = project.make("environment")
    assert done.returncode == 0, done.stderr
    assert project.stamp.exists()
    assert list(project.root.glob(".venv/lib/python3*/site-packages/pip"))


def test_the_environment_may_be_a_link_to_one_elsewhere(project: Project, tmp_path: Path) -> None:
    assert project.make("environment").returncode == 0
    (tmp_path / "second").mkdir()
    other = Project(tmp_path / "second")
    (other.root / ".venv").symlink_to(project.root / ".venv")
    done = other.make("run")
    assert (done.returncode, done.stdout) == (0, "snakemake --cores 4\n")


def test_tools_are_added_once_for_each_lock_and_environment(project: Project) -> None:
    added = "Adding what developers need"
    assert added in project.make("workshop").stdout
    assert project.make("workshop").stdout == ""
    project.write("requirements-dev.lock", "# nothing else\n")
    again = project.make("workshop").stdout
    assert added in again and "Making .venv" not in again
    project.stamp.unlink()
    both = project.make("workshop").stdout
    assert added in both and "Making .venv" in both
    project.program("uv", UV.replace("INSTALL", "exit 3"))
    project.write("requirements-dev.lock", "# a third\n")
    assert "could not be added" in sentence(project.make("workshop"))
    assert project.make("environment").stdout == ""


@pytest.mark.parametrize("fault", ["no stamp", "other lock", "other Python", "moved", "no Python"])
def test_environment_that_is_not_what_it_should_be_is_made_again(
    project: Project, fault: str
) -> None:
    assert project.make("environment").returncode == 0
    leftover = project.write(".venv/leftover", "")
    stamp = project.stamp.read_text()
    version, venv, digest = stamp.split()
    if fault == "no stamp":
        project.stamp.unlink()
    elif fault == "other lock":
        lock = project.write("requirements.lock", "# nothing else\n")
        stamp = stamp.replace(digest, hashlib.sha256(lock.read_bytes()).hexdigest())
    elif fault == "no Python":
        (project.root / ".venv/bin/python").unlink()
    else:
        other = {"other Python": (version, "3.11.999"), "moved": (venv, "/elsewhere/.venv")}
        project.stamp.write_text(stamp.replace(*other[fault]))
    done = project.make("environment")
    assert done.returncode == 0, done.stderr
    assert "Making .venv" in done.stdout
    assert not leftover.exists()
    assert project.stamp.read_text() == stamp


def test_set_up_killed_in_the_middle_leaves_no_stamp_and_is_done_again(project: Project) -> None:
    project.program("uv", UV.replace("INSTALL", 'touch "$HOME/installing"; exec sleep 60'))
    with subprocess.Popen(
        ["make", "environment"],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as first:
        deadline = time.monotonic() + 60
        while not (project.home / "installing").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(first.pid, signal.SIGKILL)
    assert (project.root / ".venv/bin/python").exists()
    assert not project.stamp.exists()
    project.program("uv", UV.replace("INSTALL", ":"))
    assert project.make("environment").returncode == 0
    assert project.stamp.exists()


def test_failed_installation_is_an_error_and_leaves_no_stamp(project: Project) -> None:
    project.program("uv", UV.replace("INSTALL", "exit 1"))
    done = project.make("run")
    assert sentence(done) == "make: .venv could not be made; the reason stands above."
    assert "snakemake" not in done.stdout
    assert not project.stamp.exists()


@pytest.mark.parametrize("version", ["3.10.13", "3.14.0"])
@pytest.mark.parametrize("named", [False, True])
def test_python_out_of_range_is_refused_in_a_sentence(
    project: Project, version: str, named: bool
) -> None:
    numbers = str(tuple(map(int, version.split("."))))
    text = OTHER_PYTHON.replace("VERSION_INFO", numbers).replace("VERSION", version)
    if named:
        assert project.make("environment").returncode == 0
        arguments = [f"PYTHON={project.program('other', text)}"]
    else:
        project.program("python3", text)
        arguments = []
    done = project.make("run", *arguments)
    assert "Python 3.11, 3.12 or 3.13 with venv is needed" in sentence(done)
    assert "snakemake" not in done.stdout
    assert project.stamp.exists() is named


def test_second_set_up_waits_for_the_first(project: Project) -> None:
    go = project.home / "go"
    wait = f'touch "$HOME/$$"; while [ ! -e "{go}" ]; do sleep 0.05; done'
    project.program("uv", UV.replace("INSTALL", wait))
    command = ["make", "environment"]
    options = {"cwd": project.root, "env": project.environment, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen(command, text=True, **options) as first,
        subprocess.Popen(command, text=True, **options) as second,
    ):
        lines = [first.stdout.readline(), second.stdout.readline()]
        go.touch()
        texts = sorted(
            line + process.communicate(timeout=60)[0]
            for line, process in zip(lines, (first, second), strict=True)
        )
    assert [first.returncode, second.returncode] == [0, 0]
    assert texts[0].startswith("Making .venv")
    assert texts[1] == "Waiting for another set-up to end.\n"
    assert len([name for name in project.home.iterdir() if name.name.isdigit()]) == 1


def test_run_that_meets_another_says_so_and_what_a_killed_one_left_is_opened(
    project: Project,
) -> None:
    assert project.make("environment").returncode == 0
    stale = project.write(".snakemake/locks/0.output.lock", "")
    with (project.root / ".run.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = project.make("run")
        assert "another 'make run' is at work in this folder" in sentence(done)
        assert "snakemake" not in done.stdout
        assert stale.exists()
        project.write("second/config/study.yaml", "id: second\n")
        other = project.make("run", "STUDY=second")
        assert other.stdout == "snakemake --cores 4 --directory second\n"
    assert project.make("run").stdout.splitlines() == [
        "An earlier run was killed: unlocking this folder.",
        "snakemake --unlock",
        "snakemake --cores 4",
    ]
    assert not stale.exists()


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="processes are not to be seen here")
@pytest.mark.parametrize("name", ["snakemake", "ccp_analysis.cli"])
def test_lock_is_kept_while_a_run_by_hand_or_an_orphaned_job_lives(
    project: Project, name: str
) -> None:
    assert project.make("environment").returncode == 0
    stale = project.write(".snakemake/locks/0.output.lock", "")
    sleeper = [sys.executable, "-c", "input()", name]
    with subprocess.Popen(sleeper, cwd=project.root, stdin=subprocess.PIPE) as alive:
        done = project.make("run")
        alive.communicate(b"\n")
    assert f"process {alive.pid} of another run is at work" in sentence(done)
    assert stale.exists()


def test_data_are_drawn_again_of_a_synthetic_study_alone(project: Project) -> None:
    project.write("tools/synthetic/__main__.py", GENERATOR)
    raw = project.write("data/raw/baseline.csv", "precious")
    planted = project.write("tests/simulation/data/planted_faults.csv", "old")
    for status in ("real", "public", "synthetic-looking"):
        project.write("config/study.yaml", f"id: trial\ndata_status: {status}\n")
        done = project.make("data")
        assert "does not say 'data_status: synthetic'" in sentence(done)
        assert raw.read_text() == "precious"
        assert not (project.root / "data/derived").exists()
    project.write("config/study.yaml", "id: trial\ndata_status: synthetic  # or real\n")
    done = project.make("data")
    assert done.returncode == 0, done.stderr
    assert raw.read_text() == "drawn"
    assert planted.read_text() == "known to the tests only"
    assert [path.name for path in raw.parent.iterdir()] == ["baseline.csv"]


def test_folder_that_is_no_study_is_refused(project: Project) -> None:
    for target in ("run", "archive", "verify", "data", "clean"):
        assert "is no study folder" in sentence(project.make(target, "STUDY=nowhere")), target


def test_clean_keeps_raw_data_and_the_readme(project: Project) -> None:
    kept = [project.write("data/raw/baseline.csv", ""), project.write("reports/README.md", "")]
    gone = [project.write("data/derived/a.parquet", ""), project.write("reports/tables/a.csv", "")]
    assert project.make("clean").returncode == 0
    assert [path.exists() for path in kept + gone] == [True, True, False, False]


LOCKS = ["requirements.lock", "requirements-dev.lock"]


def requirements(lock: str) -> dict[str, str]:
    """Name and pin of each requirement of a lock, with everything that belongs to it."""
    text = (ROOT / lock).read_text()
    logical = re.sub(r"\\\n", " ", re.sub(r"(?m)^ *#.*\n", "", text))
    lines = [line for line in logical.splitlines() if line.strip()]
    return {re.split(r"[=\s;]", line, maxsplit=1)[0]: line for line in lines}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_and_hashes_every_requirement_and_carries_no_address(lock: str) -> None:
    found = requirements(lock)
    assert len(found) > 50
    for line in found.values():
        assert re.match(r"[a-z0-9-]+==[^\s;]+( ; [^\\]*?)?( +--hash=sha256:[0-9a-f]{64})+$", line)
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|\bfile:| @ |index|find-links|trusted-host|(?<!\w)/\w", text)


def test_locks_name_every_dependency_agree_and_the_one_for_runs_holds_no_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = sum(project["optional-dependencies"].values(), [])
    run, workshop = found = list(map(requirements, LOCKS))
    for lock, wanted in zip(found, [project["dependencies"], extras], strict=True):
        names = {re.split(r"[^\w.-]", name)[0].lower().replace("_", "-") for name in wanted}
        assert names <= set(lock)
    # Developers may need something on every machine that a run needs on some: the rest is the same.
    on_some = re.compile(r" ; .*?(?= +--hash)")
    for name, text in run.items():
        assert workshop[name] in (text, on_some.sub("", text)), name
    assert not {"pytest", "ruff", "mypy"} & set(run)
