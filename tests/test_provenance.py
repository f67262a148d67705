"""A rule's fingerprint covers what its command imports and reads: tried by running each."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.project import Project
from support.study import ROOT, StudyFolder, inside, options_of

from ccp_analysis import provenance
from ccp_analysis.cli import BY_HAND, COMMANDS
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.config.trial import TOLD, configuration_files, designed

PACKAGE = Path(provenance.__file__).parent
D = "data/derived"
RULES = [command for command in COMMANDS if command not in BY_HAND]
# No part of a run; its command is given what its rule gives it, on the reduced study.
BY_REQUEST = "characterise_whole"


@dataclass(frozen=True)
class Ran:
    """A process of a command: in which study, by which code, and what it kept of itself."""

    study: Path
    package: Path
    given: list[str]
    modules: set[str]
    opened: set[Path]


def inside_of(paths: set[Path], folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in paths if folder in path.parents}


@pytest.fixture(scope="module")
def ran(run_whole: Project, ccp_done: StudyFolder, tmp_path_factory) -> dict[str, list[Ran]]:
    """Every process of the whole run, by command, and one of what is run by request."""
    study, source = tmp_path_factory.mktemp("provenance") / "study", run_whole.folder / "src"
    shutil.copytree(ccp_done.path, study)
    with inside(study):
        given = [f"--{n}={v}" for n, v in options_of(BY_REQUEST).items()]
    command = [sys.executable, "-m", "ccp_analysis.cli", BY_REQUEST, *given, "--log=logs/whole.log"]
    env = os.environ | {"PYTHONPATH": str(source), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=study, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[Ran]] = {}
    for folder in (run_whole.folder, study):
        for file in sorted((folder / "watched").glob("*.json")):
            kept = json.loads(file.read_text())
            options = [part for option in kept["given"] for part in option.split("=")]
            found.setdefault(file.name.partition(".")[0], []).append(
                Ran(
                    folder,
                    source / "ccp_analysis",
                    options,
                    set(kept["modules"]),
                    set(map(Path, kept["opened"])),
                )
            )
    return found


@pytest.mark.parametrize("command", RULES)
def test_a_command_uses_nothing_that_its_rule_does_not_fingerprint(ran, command, monkeypatch):
    covered = inside_of(set(provenance.modules_of(command)), PACKAGE)
    for one in ran[command]:
        imported = inside_of(set(map(Path, one.modules)), one.package)
        assert imported <= covered
        assert Path("cli.py") in imported
        assets = inside_of(one.opened, one.package)
        compiled = {path for path in assets if "__pycache__" in path.parts}
        assert {path for path in assets - compiled if path.suffix != ".py"} <= covered

        monkeypatch.chdir(one.study)
        declared = configuration_files()[command]
        # Of the study rules have what they use as a parameter, and some of the evaluation.
        declared.append("config/study.yaml")
        declared += ["config/economics.yaml"] * (
            command in ("cost", "impute", "expose", "characterise_whole")
        )
        opened = inside_of(one.opened, one.study)
        assert {path for path in opened if path.parts[0] == "config"} <= set(map(Path, declared))
        if command != "clean":
            assert not {path for path in opened if path.parts[:2] == ("data", "raw")}
        # What is not yet whole has another name, which begins with a point, as the folder of
        # checksums.
        given = set(map(Path, one.given))
        derived = {path for path in opened if Path(D) in path.parents}
        derived = {path for path in derived if not any(name[0] == "." for name in path.parts)}
        assert all(given & {path, *path.parents} for path in derived), derived


def test_what_tests_give_to_a_command_its_rule_gives_it(ran, ccp_done):
    with inside(ccp_done.path):
        for command in RULES:
            ours = {f"--{name.replace('_', '-')}" for name in options_of(command)}
            assert ours <= set(ran[command][0].given), command


def test_what_a_rule_declares_it_reads(ran, monkeypatch):
    """No rule reruns for a file that its command never opens."""
    for command in RULES:
        monkeypatch.chdir(ran[command][0].study)
        files = set(map(Path, configuration_files()[command]))
        opened = set().union(*(inside_of(one.opened, one.study) for one in ran[command]))
        assert files <= opened or command == "items", command


def test_what_is_said_of_a_study_in_its_report_alone_is_read_by_no_other_rule(monkeypatch):
    monkeypatch.chdir(ROOT)
    files = configuration_files()
    others = [command for command in RULES if "config/study.yaml" not in files[command]]
    assert set(RULES) - set(others) == {"items", "report", "codebook"}
    for path in sorted(set().union(*map(provenance.modules_of, others))):
        if path.suffix == ".py" and PACKAGE / "config" not in path.parents:
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            asked = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            # Of few people the table of results is told, by a parameter of its rule.
            assert not asked & (TOLD - {"disclosure"}), path


def test_a_study_is_designed_as_before_whatever_is_said_of_it(monkeypatch):
    monkeypatch.chdir(ROOT)
    study = load_study()
    told = study.model_copy(update=dict.fromkeys(TOLD))
    assert designed(told) == designed(study)
    given = {name for name in Study.model_fields if getattr(study, name) not in (None, "")}
    for name in given - TOLD:
        assert designed(study.model_copy(update={name: None})) != designed(study), name


def test_stages_know_nothing_of_later_stages():
    later = {
        "clean": {"imputation", "analyses", "models", "economics", "report"},
        "cost": {"imputation", "analyses", "models", "report"},
        "impute": {"analyses", "economics", "report"},
        "analyse": {"cleaning", "economics", "report"},
        "evaluate": {"cleaning", "report"},
        "items": {"cleaning", "imputation", "models", "analyses", "economics"},
        "report": {"cleaning", "imputation", "models", "analyses", "economics"},
        "results": {"cleaning", "imputation", "models", "analyses", "economics", "report"},
    }
    for command, rooms in later.items():
        used = {path.parent.name for path in provenance.modules_of(command)}
        assert not used & rooms, command


def test_every_import_of_the_package_is_found():
    """Modules are searched for them, and not parsed: this one parses them."""
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        nodes = (
            n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import | ast.ImportFrom)
        )
        parsed = sorted(text for text in map(ast.unparse, nodes) if "ccp_analysis" in text)
        found = map(ast.parse, provenance._IMPORT.findall(source))
        assert sorted(map(ast.unparse, found)) == parsed, path


def test_a_changed_module_changes_the_fingerprints_of_its_commands_only(tmp_path, monkeypatch):
    copy = tmp_path / "src" / "ccp_analysis"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    monkeypatch.setattr(provenance, "LOCK", tmp_path / "requirements.lock")

    def prints() -> dict[str, str]:  # what a module imports is kept: only comments are added
        return {command: provenance.code_fingerprint(command) for command in RULES}

    before = prints()

    def changed(path: Path) -> set[str]:
        path.write_text(path.read_text() + "\n# changed\n")
        old = dict(before)
        before.update(prints())
        return {command for command in RULES if before[command] != old[command]}

    imputing = {"impute", "expose", "characterise_whole"}
    assert changed(copy / "cleaning/score.py") == {"clean", *imputing}
    assert changed(copy / "imputation/chained.py") == imputing
    fits = {"analyse", "check", "sensitivity", "evaluate", "implement", "next_study"}
    fits |= {"characterise_batch", "characterise_whole", "characterise"}
    assert changed(copy / "models/random_intercept.py") == fits
    assert changed(copy / "report/words.py") == {"items", "report", "codebook"}
    assert changed(copy / "report/sections/costs.py") == {"items"}
    assert changed(copy / "report/sections/templates/costs.md.j2") == {"items"}
    assert changed(copy / "report/templates/style.css") == {"report", "codebook"}
    assert changed(copy / "files.py") == set(RULES)
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==0\n")
    assert changed(lock) == set(RULES)


def test_a_copy_elsewhere_has_the_same_fingerprints(tmp_path, monkeypatch):
    here = {command: provenance.code_fingerprint(command) for command in RULES}
    copy = tmp_path / "src" / "ccp_analysis"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    if provenance.LOCK.is_file():
        shutil.copy(provenance.LOCK, tmp_path / "requirements.lock")
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    monkeypatch.setattr(provenance, "LOCK", tmp_path / "requirements.lock")
    assert here == {command: provenance.code_fingerprint(command) for command in RULES}


def functions(tree: ast.Module):
    """Every function but the declarations of a protocol, which have no body by their nature."""
    protocols = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)
    ]
    declared = {id(inner) for protocol in protocols for inner in protocol.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and id(node) not in declared:
            yield node


def idle(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Raise):
        return "NotImplementedError" in ast.dump(statement)
    return isinstance(statement, ast.Pass)


def test_no_function_is_a_stub():
    checked = 0
    for path in sorted(PACKAGE.rglob("*.py")):
        for function in functions(ast.parse(path.read_text(encoding="utf-8"))):
            checked += 1
            assert not all(map(idle, function.body)), f"{path}: {function.name} does nothing"
    assert checked > 200
