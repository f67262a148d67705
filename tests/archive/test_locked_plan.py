"""Locked plans: what is kept, what is refused, and what the report says of differences."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.study import CCP, STUDIES, StudyFolder, inside

from ccp_analysis import before
from ccp_analysis.archive.lock_plan import run as lock
from ccp_analysis.archive.plan_document import PlanDocument, source_of
from ccp_analysis.cli import main
from ccp_analysis.config.check import faults
from ccp_analysis.config.locked import compared, locks
from ccp_analysis.config.trial import Trial, configuration_files
from ccp_analysis.config.values import meaning, values_of
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import DEVIATIONS, LOCK, LOCKED
from ccp_analysis.report.documents import to_html
from ccp_analysis.report.head import head_of
from ccp_analysis.report.section import Part
from ccp_analysis.report.sections import deviations
from ccp_analysis.report.stage import Report

HEAD = "field,reason,date,who,seen"
IMPUTATIONS = "analysis.yaml: imputation.imputations"
PLAN = "config/analysis.yaml"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of the CCP study, its plan locked as version 1.0; not to be changed."""
    folder = tmp_path_factory.mktemp("locked")
    shutil.copytree(CCP / "config", folder / "config")
    shutil.rmtree(folder / LOCKED)
    with inside(folder):
        lock(date="2020-01-31")
    return folder


@pytest.fixture
def study(locked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    """A copy of it, as the current folder."""
    shutil.copytree(locked, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return StudyFolder(tmp_path)


def reasons(*lines: str) -> None:
    DEVIATIONS.write_text("\n".join([HEAD, *lines, ""]), encoding="utf-8")


def different() -> dict[str, tuple[object, object]]:
    return {one.field: (one.locked, one.run) for one in compared(Trial()).deviations}


def test_comments_order_and_what_is_so_anyway_are_no_difference(study: StudyFolder) -> None:
    study.change(PLAN, "covariates: [age, years_in_contact]", "covariates: [years_in_contact, age]")
    study.change(PLAN, "power: 0.8 ", "power: 0.80 # a comment\n#")
    study.change(PLAN, "  auxiliary: []", "  by_arm: false #")
    text = (study / PLAN).read_text(encoding="utf-8")
    one, two = re.findall(r"^  - \{id: (?:mixed|team_means), .*\n", text, re.MULTILINE)
    study.change(PLAN, one + two, two + one)
    rows = (study / "config/unit_costs.csv").read_text(encoding="utf-8").splitlines()
    (study / "config/unit_costs.csv").write_text("\n".join([rows[0], *rows[:0:-1], ""]))
    assert faults(Trial()) == []
    found = compared(Trial())
    assert (found.deviations, found.told) == ([], [])


def test_every_change_of_a_value_is_a_difference_by_its_field(study: StudyFolder) -> None:
    study.change(PLAN, "imputations: 50", "imputations: 40")
    study.change(
        PLAN, "  - {id: change_complete, role: sensitivity", "  - {id: later, role: supporting"
    )
    study.change("config/instruments.yaml", "range: [0, 27]", "range: [0, 26]")
    study.change("config/unit_costs.csv", "su_gp,contact,40", "su_gp,contact,41")
    study.change("config/economics.yaml", "draws: 5000", "draws: 4999")
    study.change("config/rules.yaml", "days: [0, 42]", "days: [0, 43]")
    study.cell("config/dictionary.csv", 3, "missing", "-9=not known")
    study.change("config/study.yaml", "title: Connecting", "title: Joining")
    study.change(PLAN, 'version: "1.0"', 'version: "1.1"')
    found = compared(Trial())
    column = (study / "config/dictionary.csv").read_text(encoding="utf-8").splitlines()[2]
    file, name, *_ = column.split(",")
    assert {one.field: one.meaning for one in found.deviations} == {
        "analysis.yaml: analyses.change_complete": "Analyses in the order of the report.",
        "analysis.yaml: analyses.later": "Analyses in the order of the report.",
        IMPUTATIONS: "How many completed tables.",
        f"dictionary.csv: {file} {name}.missing": meaning(("dictionary.csv", "x", "missing")),
        "economics.yaml: bootstrap.draws": "How many resampled studies.",
        "instruments.yaml: instruments.social_capital.range": "Lowest and highest possible score.",
        "rules.yaml: rules.baseline_window.days": "Fewest and most days.",
        "unit_costs.csv: su_gp.unit_cost": "",
    }
    assert different()[IMPUTATIONS] == (50, 40)
    assert [one.field for one in found.told] == ["analysis.yaml: version", "study.yaml: title"]


@pytest.mark.parametrize("name", STUDIES)
def test_every_field_is_declared_and_says_what_it_is(name: str, monkeypatch) -> None:
    monkeypatch.chdir(STUDIES[name])

    def walk(part: object, at: tuple[str, ...]) -> None:
        if isinstance(part, dict) and part:
            for key, inner in part.items():
                walk(inner, (*at, key))
        elif at[-1] not in ("(first)", "checksum", "rows") and at[0].endswith(".yaml"):
            assert meaning(at), at

    walk(values_of(Trial()), ())


def test_a_lock_is_dated_and_never_overwritten(study: StudyFolder, capsys) -> None:
    assert [(one.version, one.locked, one.late) for one in locks()] == [
        ("1.0", "2020-01-31", False)
    ]
    copy = LOCKED / "1.0/config/analysis.yaml"
    assert copy.read_bytes() == Path(PLAN).read_bytes()
    assert not (LOCKED / "1.0/config/decisions.csv").exists()
    kept = (LOCKED / "1.0" / LOCK).read_bytes()
    assert main(["lock-plan"]) == 1
    assert "version 1.0 is locked already" in capsys.readouterr().err
    outside = "unit_costs: ../costs.csv"
    shutil.copy("config/unit_costs.csv", "../costs.csv")
    study.change("config/economics.yaml", "unit_costs: config/unit_costs.csv", outside)
    with pytest.raises(StudyError, match="outside the study folder"):
        lock()
    study.change("config/economics.yaml", outside, "unit_costs: config/unit_costs.csv")
    study.change(PLAN, 'version: "1.0"', 'version: "1.1"')
    with pytest.raises(StudyError, match="was locked on 2020-01-31; expected no day before"):
        lock(date="2019-12-31")
    with pytest.raises(StudyError, match="no day"):
        lock(date="31.1.2020")
    study.change(PLAN, 'version: "1.1"', 'version: "../1.1"')
    with pytest.raises(StudyError, match="expected one of letters, digits"):
        lock()
    assert (LOCKED / "1.0" / LOCK).read_bytes() == kept
    assert [path.name for path in LOCKED.iterdir()] == ["1.0"]


def test_a_new_version_keeps_the_history_and_the_reasons(study: StudyFolder) -> None:
    study.change(PLAN, "imputations: 50", "imputations: 40")
    reasons(f"{IMPUTATIONS},enough by the Monte Carlo error,2020-02-01,J. Doe,before")
    study.change(PLAN, 'version: "1.0"', 'version: "1.1"')
    lock(date="2020-02-02")
    first, second = locks()
    assert second.follows == first.checksum
    [revision] = second.revisions
    assert revision["field"] == IMPUTATIONS
    assert (revision["before"], revision["now"], revision["who"]) == (50, 40, "J. Doe")
    # The reason is in the lock: its line is of nothing now.
    with pytest.raises(StudyError, match=r"deviations.csv, line 2: .* no field that differs"):
        compared(Trial())
    DEVIATIONS.unlink()
    assert compared(Trial()).deviations == []
    text = PlanDocument(source_of(Trial())).text()
    for said in ("enough by the Monte Carlo error", "2020\\-02\\-02", first.checksum[:12]):
        assert said in text
    shutil.rmtree(first.folder)
    with pytest.raises(StudyError, match="the lock before it, .*, is not there"):
        locks()


def _edit(name: str, old: str, new: str) -> Callable[[Path], object]:
    """Return what changes a file of a lock."""

    def change(folder: Path) -> None:
        StudyFolder(folder).change(name, old, new)

    return change


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_edit(LOCK, '"imputations": 50', '"imputations": 40'), "does not fit its checksum"),
        (_edit(LOCK, "2020-01-31", "2019-01-31"), "lock.json: what it holds does not fit its ch"),
        (lambda folder: (folder / LOCK).write_text("{"), "not readable as a locked plan"),
        (lambda folder: (folder / LOCK).unlink(), "not readable as a locked plan"),
        (_edit(PLAN, "seed: ", "seed: 1"), "analysis.yaml: the file was altered"),
        (lambda folder: (folder / PLAN).unlink(), "analysis.yaml: the file is missing"),
        (lambda folder: (folder / "note.txt").write_text("a"), "note.txt: the file was not locked"),
        (lambda folder: folder.rename(folder.with_name("2.0")), "does not fit its checksum"),
        (lambda folder: shutil.copytree(folder, folder.with_name("2.0")), "not fit its checksum"),
    ],
)
def test_an_altered_lock_is_no_lock(
    study: StudyFolder, damage: Callable[[Path], object], said: str
) -> None:
    damage(LOCKED / "1.0")
    with pytest.raises(StudyError) as caught:
        locks()
    assert said in str(caught.value)


def test_an_altered_lock_and_a_wrong_line_stop_before_the_first_job(study: StudyFolder) -> None:
    shutil.copytree(CCP / "data/raw", "data/raw")
    reasons("analysis.yaml: seed,why,2020-02-01,me,before")
    [fault] = before.faults(Trial())
    assert fault.startswith(f"{DEVIATIONS}, line 2: ") and "no field that differs" in fault
    _edit(LOCK, "2020-01-31", "2019-01-31")(LOCKED / "1.0")
    [fault] = before.faults(Trial())
    assert "lock.json: what it holds does not fit its checksum" in fault


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("analysis.yaml: seed,why,2020-02-01,me,before", "it is no field that differs"),
        (f"{IMPUTATIONS},,2020-02-01,me,before", "'reason' is empty"),
        (f"{IMPUTATIONS},why,2020-02-01,,before", "'who' is empty"),
        (f"{IMPUTATIONS},why,1.2.2020,me,before", "date '1.2.2020' found"),
        (f"{IMPUTATIONS},why,2020-02-01,me,perhaps", "seen 'perhaps' found"),
    ],
)
def test_a_line_of_the_deviations_that_is_wrong_is_named(
    study: StudyFolder, line: str, said: str
) -> None:
    study.change(PLAN, "imputations: 50", "imputations: 40")
    good = "analysis.yaml: imputation,fewer were enough,2020-02-01,me,before"
    reasons(good)
    assert len(compared(Trial()).deviations) == 1
    reasons(good, line)
    with pytest.raises(StudyError) as caught:
        compared(Trial())
    assert str(caught.value).startswith(f"{DEVIATIONS}, line 3: ")
    assert said in str(caught.value)


def test_deviations_without_a_lock_are_refused(study: StudyFolder) -> None:
    shutil.rmtree(LOCKED)
    reasons(f"{IMPUTATIONS},why,2020-02-01,me,before")
    with pytest.raises(StudyError, match="no plan is locked"):
        compared(Trial())


def test_the_report_alone_hangs_on_locks_and_reasons(study: StudyFolder) -> None:
    reasons()
    held = {DEVIATIONS.as_posix(), (LOCKED / "1.0" / LOCK).as_posix()}
    assert {rule for rule, files in configuration_files().items() if held & {*files}} == {"items"}


def test_the_report_has_every_deviation_with_its_reason(study: StudyFolder) -> None:
    assert "What was run does not deviate" in _text()
    study.change(PLAN, "imputations: 50", "imputations: 40")
    study.change(PLAN, "iterations: 20", "iterations: 10")
    study.change(PLAN, "donors: 5", "donors: 6")
    late = "2021-05-01,J. Doe,after"
    reasons(
        f"{IMPUTATIONS},enough <by> the Monte Carlo error,{late}",
        "analysis.yaml: imputation.donors,more people,2020-02-01,J. Doe,before",
    )
    source = source_of(Trial())
    table = deviations.deviations(source)
    assert [[cell.partition(". ")[0] for cell in row if cell] for row in table.rows] == [
        ["analysis.yaml: imputation.donors", "5", "6", "More people"],
        [IMPUTATIONS, "50", "40", "Enough <by> the Monte Carlo error"],
        ["analysis.yaml: imputation.iterations", "20", "10", "No reason was given."],
    ]
    assert table.rows[1][3].endswith("after the data were seen; after the date of the data.)")
    assert "after the date" not in table.rows[0][3]
    [said] = deviations.flagged(source)
    assert "3 fields, 1 without a reason and 1 decided after the data were seen" in said
    report = Report(source, parts=[Part("", [deviations.SECTION])]).text()
    to_html(report, head_of(source.study), Path(), Path("page.html"), {"places": [], "rows": {}})
    page = Path("page.html").read_text(encoding="utf-8")
    assert "Enough &lt;by&gt; the Monte Carlo error. (J. Doe, 1 May 2021, after the data" in page
    assert page.count("No reason was given.") == 1
    unlocked = replace(source, compared=type(source.compared)())
    assert list(deviations.flagged(unlocked)) == []
    assert deviations.SECTION.said(unlocked)["lock"] == ""


def _text() -> str:
    said = deviations.SECTION.said(source_of(Trial()))
    return f"{said['lock']} {said['differs']}"


def test_the_shipped_plan_is_locked_and_run_as_it_was_locked(monkeypatch) -> None:
    monkeypatch.chdir(CCP)
    found = compared(Trial())
    assert found.latest is not None
    assert found.latest.version == Trial().plan.version
    assert found.deviations == []
    # It is synthetic, and locked after the date of its data: both are said.
    assert "after the date of the data" in _text()
    assert "the study is synthetic, and the lock an example" in _text()
