"""The whole pipeline under Snakemake: what reruns when, and what comes out."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from support.project import Project, copy_project
from support.study import ROOT

from ccp_analysis.cli import BY_HAND, COMMANDS

pytestmark = pytest.mark.pipeline

REACH = ROOT / "tests/golden/reruns.csv"

AFTER_RESULTS = {"results", "items", "report"}
AFTER_ANALYSES = {"balance", "results", "items", "report"}
AFTER_IMPUTATION = {
    *("analyse", "characterise_batch", "characterise", "check", "describe", "evaluate", "expose"),
    *("implement", "next_study", "sensitivity"),
    *AFTER_ANALYSES,
}


@contextlib.contextmanager
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


@pytest.fixture(scope="module")
def following(done: Project) -> dict[str, set[str]]:
    """Of each rule itself and all that run after it, as Snakemake joins them."""
    graph = done.run("--rulegraph").stdout
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', graph))
    next_to: dict[str, set[str]] = {name: set() for name in names.values()}
    for first, second in re.findall(r"(\d+) -> (\d+)", graph):
        next_to[names[first]].add(names[second])

    def after(rule: str) -> set[str]:
        return {rule}.union(*map(after, next_to[rule])) - {"all"}

    return {rule: after(rule) for rule in next_to}


CODE = "src/ccp_analysis"
# Rules that run again after an edit of a file.
AFTER_EDIT = {
    "config/unit_costs.csv": {"cost", "impute"} | AFTER_IMPUTATION,
    "config/price_index.csv": {"cost", "impute"} | AFTER_IMPUTATION,
    "config/intervention_cost.csv": {"cost", "impute"} | AFTER_IMPUTATION,
    f"{CODE}/models/glm.py": (
        {"analyse", "characterise_batch", "characterise", "evaluate", "sensitivity"}
        | AFTER_ANALYSES
    ),
    f"{CODE}/imputation/chained.py": {"impute"} | AFTER_IMPUTATION,
    f"{CODE}/analyses/descriptive.py": {"describe"} | AFTER_RESULTS,
    f"{CODE}/report/sections/costs.py": {"items", "report"},
    f"{CODE}/report/templates/style.css": {"codebook", "report"},
    f"{CODE}/cleaning/guard.py": {"clean", "codebook", "cost", "impute"} | AFTER_IMPUTATION,
}


@pytest.mark.parametrize("file", AFTER_EDIT)
def test_a_file_reruns_exactly_the_rules_that_use_it_and_what_follows(
    following: dict[str, set[str]], file: str
) -> None:
    use = pd.read_csv(REACH, index_col="file").loc[file, "rules"].split()
    # Nothing of a run waits for studies that all models impute.
    assert set().union(*(following[rule] for rule in use if rule in following)) == AFTER_EDIT[file]


def test_every_rule_has_the_fingerprint_of_its_own_command() -> None:
    """What golden/test_reruns.py says of commands holds of rules."""
    text = (ROOT / "Snakefile").read_text(encoding="utf-8")
    rules = dict(re.findall(r"^ *rule (\w+):\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL))
    fully = rules.pop("characterise_fully")
    assert "python -m ccp_analysis.cli characterise " in fully
    assert 'version=version("characterise", CONFIG["characterise"]),' in fully
    assert {*rules} == {"all", *COMMANDS} - BY_HAND
    for name, body in rules.items():
        if name != "all":
            read = 'RAW + CONFIG["clean"]' if name == "clean" else f'CONFIG["{name}"]'
            assert f'version=version("{name}", {read}),' in body
            assert f'"python -m ccp_analysis.cli {name} ' in body


EDITS = {
    "the seed": (
        [("config/analysis.yaml", "seed: 20261122", "seed: 1")],
        {"impute"} | AFTER_IMPUTATION,
    ),
    "a text of the report, and thresholds": (
        [
            ("config/study.yaml", "title: Connecting", "title: The Connecting"),
            (
                "config/economics.yaml",
                "main_thresholds: [20000, 30000]",
                "main_thresholds: [30000, 20000]",
            ),
        ],
        {"codebook", "evaluate"} | AFTER_RESULTS,
    ),
    "the year of prices": (
        [("config/economics.yaml", "price_year: 2020", "price_year: 2019")],
        {"cost", "impute"} | AFTER_IMPUTATION,
    ),
    "a module and a style sheet": (
        [
            (f"{CODE}/models/glm.py", "\n\n", "\n\n# a comment\n"),
            (f"{CODE}/report/templates/style.css", "{", "/* a comment */ {"),
        ],
        AFTER_EDIT[f"{CODE}/models/glm.py"] | AFTER_EDIT[f"{CODE}/report/templates/style.css"],
    ),
}


@pytest.mark.parametrize(("edits", "rules"), EDITS.values(), ids=EDITS)
def test_an_edit_reruns_what_reads_it_and_what_follows(
    done: Project, edits: list[tuple[str, str, str]], rules: set[str]
) -> None:
    with contextlib.ExitStack() as open_edits:
        for file, old, new in edits:
            open_edits.enter_context(edited(done.folder / file, old, new))
        assert done.waiting() == rules


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
    os.utime(done.folder / "data/raw/baseline.csv")
    for file, old, _ in EDITS["a module and a style sheet"][0]:  # written again as they were
        with edited(done.folder / file, old, old):
            pass
    assert done.waiting() == set()


@pytest.mark.long
def test_one_core_elsewhere_gives_the_same_bytes(
    done: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = copy_project(tmp_path_factory.mktemp("a folder with spaces"))
    result = other.run("--cores", "1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "done in" in result.stdout + result.stderr
    assert max(map(len, (result.stdout + result.stderr).splitlines())) < 500
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


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Beat the Blues with one analysis, run for one file and another where nothing had been run."""
    folder = tmp_path_factory.mktemp("small")
    project = copy_project(folder, "examples/beat_the_blues", analyses=["ancova_complete"])
    shutil.rmtree(folder / "reports", ignore_errors=True)
    for asked in ("data/derived/participants.parquet", "reports/results.csv"):
        made = project.run("--cores", "2", asked)
        assert made.returncode == 0, made.stdout + made.stderr
    assert "; made reports/results.csv" in made.stdout + made.stderr  # and no report to open
    return project


def test_verify_finds_results_identical(small: Project) -> None:
    """A difference found, and how it is said: tests/archive/test_archive_verify.py."""
    same = small.cli("verify", "--log", "logs/verify.log")
    assert same.returncode == 0, same.stdout + same.stderr
    assert "0 different" in same.stdout


@pytest.mark.long
def test_verify_finds_results_of_other_data_different(small: Project) -> None:
    with edited(small.folder / "data/raw/btheb.csv", "7,0,0,0,0\nB007", "7,0,0,0,11\nB007"):
        other = small.cli("verify", "--log", "logs/verify.log")
    assert other.returncode == 1
    assert "ifferent" in other.stdout + other.stderr
    assert "Traceback" not in other.stdout + other.stderr


def test_bad_raw_data_end_at_cleaning_with_one_sentence(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    with edited(project.folder / "data/raw/recruitment.csv", "CP005,T07", "CP005,X07"):
        result = project.run("--cores", "2")
    screen = result.stdout + result.stderr
    assert result.returncode != 0
    assert "recruitment.csv, line 6" in screen
    assert "Traceback" not in screen
    assert "The run stopped: clean: " in screen
    log = (project.folder / "logs/clean.log").read_text(encoding="utf-8")
    assert "recruitment.csv, line 6" in log
    for made in ("reports/results.csv", "data/derived/participants.parquet"):
        assert not (project.folder / made).exists()


Fault = tuple[str, str, str, str]


@pytest.mark.parametrize(
    "faults",
    [
        [
            ("data/raw/baseline.csv", "participant,interview", "person,interview", "line 1"),
            ("config/unit_costs.csv", "su_gp,contact,40", "su_gp,contact,-40", "line 2"),
            ("config/analysis.yaml", "auxiliary: []", "auxiliary: [nothing]", "'nothing'"),
        ],
        [
            ("config/study.yaml", "randomised: false", "randomised: maybe", "study.yaml, line 8"),
            ("config/economics.yaml", "0, 2500, 5000", "0, 5000, 2500", "economics.yaml, line 25"),
        ],
    ],
    ids=["contents", "shape"],
)
def test_bad_input_is_said_before_the_first_job(tmp_path: Path, faults: list[Fault]) -> None:
    """Each by itself: tests/study/test_check.py and test_before.py."""
    project = copy_project(tmp_path)
    with contextlib.ExitStack() as edits:
        for file, old, new, _ in faults:
            edits.enter_context(edited(project.folder / file, old, new))
        result = project.run("--cores", "2")
    screen = result.stdout + result.stderr
    assert result.returncode != 0
    for *_, words in faults:
        assert words in screen
    assert "Traceback" not in screen
    assert not (project.folder / "logs").exists()
    assert not (project.folder / "reports").exists()


@pytest.mark.long
def test_altered_files_are_made_anew_with_the_same_bytes(done: Project) -> None:
    """An intermediate, a caption and a document, with their old dates; all else stays."""
    before, flow = outputs(done), done.folder / "data/derived/flow.json"
    paths = [flow, done.folder / "reports/report.html"]
    paths.append(next((done.folder / "data/derived/captions").glob("*.rst")))
    kept = {path: path.read_bytes() for path in paths}
    for path in paths:
        dates, content = path.stat(), bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        os.utime(path, (dates.st_atime, dates.st_mtime))
    again = done.run("--cores", "2")
    said = again.stdout + again.stderr
    assert again.returncode == 0, said
    for path in paths:
        name = path.relative_to(done.folder)
        assert f"{name}: it was changed after it was written; what was changed was moved" in said
    assert {path: path.read_bytes() for path in paths} == kept
    assert outputs(done) == before
    assert (done.folder / "data/derived/altered/data/derived/flow.json").is_file()
    assert done.waiting() == set()
