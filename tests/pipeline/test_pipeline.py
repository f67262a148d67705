"""The whole pipeline under Snakemake: what reruns when, and what comes out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from pipeline_project import Project, copy_project

pytestmark = pytest.mark.pipeline

AFTER_RESULTS = {"results", "items", "report"}
AFTER_ANALYSES = {"balance", "results", "items", "report"}
AFTER_IMPUTATION = {
    *("analyse", "check", "describe", "evaluate", "implement", "sensitivity"),
    *AFTER_ANALYSES,
}


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """Change a file for a while."""
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new, 1), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def outputs(project: Project) -> dict[str, bytes]:
    reports = project.folder / "reports"
    return {
        path.relative_to(reports).as_posix(): path.read_bytes()
        for path in sorted(reports.rglob("*"))
        if path.is_file()
    }


def test_a_run_makes_the_documents_and_says_how_long_it_took(done: Project) -> None:
    made = outputs(done)
    assert {"results.csv", "report.html", "report.docx", "report.pdf"} <= set(made)
    for name, content in made.items():
        least = content.count(b"\n") >= 2 if name.endswith(".csv") else len(content) > 100
        assert least, name


def test_a_second_run_does_nothing(done: Project) -> None:
    assert done.waiting() == set()


def test_the_plan_reruns_what_reads_it_and_what_follows_but_not_cleaning(done: Project) -> None:
    with edited(done.folder / "config/analysis.yaml", "seed: 20261122", "seed: 1"):
        assert done.waiting() == {"impute"} | AFTER_IMPUTATION
    assert done.waiting() == set()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("unit_costs.csv", "su_gp,contact,40", "su_gp,contact,41"),
        ("price_index.csv", "2016,93", "2016,91"),
        ("intervention_cost.csv", "two-day course,2000", "two-day course,2500"),
    ],
)
def test_a_price_reruns_costing_and_what_follows(
    done: Project, file: str, old: str, new: str
) -> None:
    with edited(done.folder / "config" / file, old, new):
        assert done.waiting() == {"cost", "impute"} | AFTER_IMPUTATION


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("main_thresholds: [20000, 30000]", "main_thresholds: [30000, 20000]", {"evaluate"}),
        ("price_year: 2020", "price_year: 2019", {"cost", "impute"} | AFTER_IMPUTATION),
    ],
)
def test_an_edit_of_the_evaluation_reruns_what_hangs_on_it(
    done: Project, old: str, new: str, rules: set[str]
) -> None:
    with edited(done.folder / "config/economics.yaml", old, new):
        assert done.waiting() == rules | AFTER_RESULTS
    assert done.waiting() == set()


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        ("models/glm.py", {"analyse", "evaluate", "sensitivity"} | AFTER_ANALYSES),
        ("imputation/chained.py", {"impute"} | AFTER_IMPUTATION),
        ("analyses/descriptive.py", {"describe"} | AFTER_RESULTS),
        ("report/sections/costs.py", {"items", "report"}),
        ("report/templates/style.css", {"codebook", "report"}),
        ("cleaning/guard.py", {"clean", "codebook", "cost", "impute"} | AFTER_IMPUTATION),
    ],
)
def test_a_module_reruns_exactly_the_rules_that_use_it(
    done: Project, module: str, rules: set[str]
) -> None:
    path = done.folder / "src/ccp_analysis" / module
    before = path.read_bytes()
    comment = b"\n/* a comment */\n" if path.suffix == ".css" else b"\n# a comment\n"
    path.write_bytes(before + comment)
    try:
        assert done.waiting() == rules
    finally:
        path.write_bytes(before)
    assert done.waiting() == set()


def test_a_raw_file_replaced_by_an_older_one_is_noticed(done: Project) -> None:
    path = done.folder / "data/raw/followup.csv"
    before, dates = path.read_bytes(), path.stat()
    path.write_bytes(before.replace(b"2019-08-01", b"2019-08-02", 1))
    os.utime(path, (946684800, 946684800))
    try:
        assert "clean" in done.waiting()
    finally:
        path.write_bytes(before)
        os.utime(path, (dates.st_atime, dates.st_mtime))


def test_touching_a_file_reruns_nothing(done: Project) -> None:
    os.utime(done.folder / "data/raw/baseline.csv")
    assert done.waiting() == set()


def test_one_core_elsewhere_gives_the_same_bytes(
    done: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = copy_project(tmp_path_factory.mktemp("a folder with spaces"))
    result = other.run("--cores", "1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "done in" in result.stdout + result.stderr
    lost = "goal_attainment: answers or values set missing by cleaning: 1 outside the limits; see "
    assert lost in result.stdout + result.stderr
    report = other.folder / "reports/report.html"
    assert f"; open {report.resolve()}" in result.stdout + result.stderr
    first, second = outputs(done), outputs(other)
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []


def test_settings_given_to_snakemake_are_refused(tmp_path: Path) -> None:
    result = copy_project(tmp_path).run("--cores", "1", "--dry-run", "--config", "seed=1")
    screen = result.stdout + result.stderr
    assert result.returncode != 0
    assert "--config is not read (seed): every setting of a study stands in its folder" in screen
    assert "Traceback" not in screen


def test_every_table_says_what_kind_of_data_it_rests_on(done: Project) -> None:
    paths = [*(done.folder / "reports/tables").glob("*.csv"), done.folder / "reports/results.csv"]
    assert len(paths) > 5
    for path in [*paths, done.folder / "data/derived/queries.csv"]:
        assert set(pd.read_csv(path)["data_status"]) == {"synthetic"}, path


def test_verify_tells_identical_from_different(done: Project) -> None:
    same = done.cli("verify", "--log", "logs/verify.log")
    assert same.returncode == 0, same.stdout + same.stderr
    assert "0 different" in same.stdout
    raw = done.folder / "data/raw/followup.csv"
    before = raw.read_bytes()
    table = pd.read_csv(raw, dtype=str, keep_default_na=False)
    table.loc[5, "rgu_01"] = {"0": "1"}.get(table.loc[5, "rgu_01"], "0")
    table.to_csv(raw, index=False)
    try:
        other = done.cli("verify", "--log", "logs/verify.log")
    finally:
        raw.write_bytes(before)
    assert other.returncode == 1
    assert "ifferent" in other.stdout + other.stderr
    assert "Traceback" not in other.stdout + other.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "rule", "words"),
    [
        ("data/raw/recruitment.csv", "CP005,T07", "CP005,X07", "clean", "recruitment.csv, line 6"),
        ("data/raw/baseline.csv", "participant,interview", "person,interview", "", "line 1"),
        ("config/unit_costs.csv", "su_gp,contact,40", "su_gp,contact,-40", "", "line 2"),
        ("config/analysis.yaml", "auxiliary: []", "auxiliary: [nothing]", "", "'nothing'"),
        ("config/study.yaml", "randomised: false", "randomised: maybe", "", "study.yaml, line 8"),
        ("config/economics.yaml", "0, 2500, 5000", "0, 5000, 2500", "", "economics.yaml, line 25"),
    ],
)
def test_bad_input_ends_at_its_rule_with_one_sentence(
    tmp_path: Path, file: str, old: str, new: str, rule: str, words: str
) -> None:
    project = copy_project(tmp_path)
    with edited(project.folder / file, old, new):
        result = project.run("--cores", "2")
    screen = result.stdout + result.stderr
    assert result.returncode != 0
    assert words in screen
    assert "Traceback" not in screen
    assert not (project.folder / "reports/results.csv").exists()
    if rule:
        assert f"The run stopped: {rule}: " in screen
        assert words in (project.folder / f"logs/{rule}.log").read_text(encoding="utf-8")
        assert not (project.folder / "data/derived/participants.parquet").exists()
    else:  # before the first job
        assert not (project.folder / "logs").exists()
