"""A copy of the project with a study, and Snakemake run in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from support.study import ROOT

CODE = ["Snakefile", "Makefile", "environment.yml", "requirements.lock", "profiles", "src"]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Project:
    """A copy of the project in a folder of its own."""

    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.command(BIN / "snakemake", *arguments)

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return subprocess.run(
            [str(a) for a in arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        source = f"PYTHONPATH={self.folder / 'src'}"
        return self.command("env", source, sys.executable, "-m", "ccp_analysis.cli", *arguments)

    def waiting(self) -> set[str]:
        """Return the rules that a run would now execute."""
        dry = self.run("--dry-run", "--cores", "1")
        assert dry.returncode == 0, dry.stdout + dry.stderr
        table = re.search(r"Job stats:\n(.*?)\n\n", dry.stdout + dry.stderr, re.DOTALL)
        if table is None:
            assert "Nothing to be done" in dry.stdout + dry.stderr
            return set()
        return {line.split()[0] for line in table[1].splitlines()[2:]} - {"total", "all"}


def copy_project(folder: Path, study: str = ".", analyses: list[str] | None = None) -> Project:
    """Copy the code and a study; if wanted, with some of its analyses alone, of 2 imputations."""
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    shutil.copytree(ROOT / study / "config", folder / "config")
    shutil.copytree(ROOT / study / "data" / "raw", folder / "data" / "raw")
    if analyses:
        path = folder / "config" / "analysis.yaml"
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
        plan["analyses"] = [entry for entry in plan["analyses"] if entry["id"] in analyses]
        plan["imputation"] |= {"imputations": 2, "iterations": 3}
        kept = ("seed", "confidence_level", "estimand", "outcomes", "covariates")
        kept += ("imputation", "analyses")
        path.write_text(yaml.safe_dump({key: plan[key] for key in kept}), encoding="utf-8")
    return Project(folder)


def run_watched(folder: Path) -> None:
    """Run the whole Connecting People study; each command keeps what it imports and opens."""
    project = copy_project(folder)
    shutil.copy(Path(__file__).with_name("watch.py"), folder / "src/sitecustomize.py")
    result = project.run("--cores", "4")
    assert result.returncode == 0, result.stdout + result.stderr
