"""A rule's fingerprint covers what its command imports and reads: tried by running each."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from support.study import ROOT, inside, options_of

from ccp_analysis import provenance
from ccp_analysis.cli import BY_HAND, COMMANDS
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.config.trial import TOLD, configuration_files, designed

PACKAGE = Path(provenance.__file__).parent
D = "data/derived"
MADE = "made"
RULES = [command for command in COMMANDS if command not in BY_HAND]


def options(command: str) -> list[str]:
    """Return what a rule gives to its command on the study in the current folder."""
    found = []
    for name, value in options_of(command, "mixed").items():
        found += [
            f"--{name.replace('_', '-')}",
            *map(str, value if isinstance(value, list) else [value]),
        ]
    return found


# Libraries are loaded once; each command then runs in a fork that has nothing of this package.
DRIVER = """
import json, os, sys
import formulaic, matplotlib, numpy, pandas, pyarrow.parquet, pydantic, scipy.stats, yaml
assert not [name for name in sys.modules if name.startswith("ccp_analysis")]

def run(command, options):
    opened = set()
    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], str):
            opened.add(os.path.abspath(arguments[0]))
    sys.addaudithook(hook)
    from ccp_analysis.cli import main
    status = main([command, *options, "--log", f"made/{command}.log"])
    modules = [m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "ccp_analysis"]
    with open(f"made/{command}.json", "w") as file:
        json.dump({"status": status, "modules": modules, "opened": sorted(opened)}, file)

os.makedirs("made", exist_ok=True)
for command, options in json.loads(sys.argv[1]).items():
    child = os.fork()
    if child == 0:
        run(command, options)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def ran(ccp_done, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("provenance") / "study"
    shutil.copytree(ccp_done.path, folder)
    with inside(folder):
        given = {command: options(command) for command in RULES}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(given)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("command", RULES)
def test_a_command_uses_nothing_that_its_rule_does_not_fingerprint(ran, command, monkeypatch):
    log = ran / MADE / f"{command}.log"
    found = json.loads((ran / MADE / f"{command}.json").read_text())
    assert found["status"] == 0, log.read_text()
    covered = set(provenance.modules_of(command))
    imported = {Path(module) for module in found["modules"]}
    assert imported <= covered
    assert PACKAGE / "cli.py" in imported
    opened = {Path(path) for path in found["opened"]}
    assets = {p for p in opened if PACKAGE in p.parents and p.suffix not in (".py", ".pyc")}
    assert assets <= covered

    monkeypatch.chdir(ran)
    declared = configuration_files()[command]
    # Of the study rules have what they use as a parameter, and some of the evaluation.
    declared.append("config/study.yaml")
    declared += ["config/economics.yaml"] * (
        command in ("cost", "impute", "expose", "characterise_whole")
    )
    read = {p for p in opened if ran / "config" in p.parents}
    assert read <= {ran / path for path in declared}
    if command != "clean":
        assert not {p for p in opened if ran / "data/raw" in p.parents}
    given = {ran / option for option in options(command)}
    # What is not yet whole has another name, which begins with a point, as the folder of checksums.
    derived = {p for p in opened if ran / D in p.parents}
    derived = {p for p in derived if not any(n[0] == "." for n in p.relative_to(ran).parts)}
    assert all(given & {path, *path.parents} for path in derived), derived


def test_what_a_rule_declares_it_reads(ran, monkeypatch):
    """No rule reruns for a file that its command never opens."""
    monkeypatch.chdir(ran)
    files = configuration_files()
    for command in RULES:
        if command != "items":
            opened = json.loads((ran / MADE / f"{command}.json").read_text())["opened"]
            assert {str(ran / path) for path in files[command]} <= set(opened), command


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


def test_a_changed_module_changes_the_fingerprints_of_its_commands_only(tmp_path, monkeypatch):
    copy = tmp_path / "src" / "ccp_analysis"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    monkeypatch.setattr(provenance, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(ast, "parse", cache(ast.parse))  # most modules stay as they are

    def prints() -> dict[str, str]:
        provenance._imports.cache_clear()
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
