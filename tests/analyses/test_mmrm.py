"""MMRM of Beat the Blues: slopes of the baseline, and the visit that stands for the analysis."""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.reported import summary
from trial import one

from ccp_analysis import files
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.report.sections.could_be import detectable
from ccp_analysis.report.sections.outcomes import comparison
from ccp_analysis.report.sections.visits import visits
from ccp_analysis.report.source import load
from ccp_analysis.results import stage
from ccp_analysis.results.families import headline
from ccp_analysis.results.table import read_results

DATA = Path(__file__).parent / "data"
MODELS = Path(__file__).parents[1] / "models" / "data"
DERIVED = Path("data/derived")
PLAN = "config/analysis.yaml"
OBSERVED = "{id: mmrm_observed, role: supporting, model: mmrm, data: observed}"
VISITS = ("month2", "month3", "month5", "month8")
WEEKS = ("week1", "week2", "week4", "week12")


@pytest.fixture(scope="module")
def by_visit(btheb_done) -> pd.DataFrame:
    return pd.read_parquet(btheb_done / "data/derived/results/mmrm_observed.parquet")


@pytest.fixture(scope="module")
def one_slope(btheb_done, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = replace(btheb_done, path=tmp_path_factory.mktemp("one_slope"))
    shutil.copytree(btheb_done.path, folder.path, dirs_exist_ok=True)
    folder.change(PLAN, OBSERVED, OBSERVED.replace("}", ", baseline: one-slope}"))
    with chdir(folder.path):
        return folder.analyse("mmrm_observed")


def agrees(found: pd.Series, expected: dict, estimate: str = "estimate") -> None:
    assert abs(found["estimate"] - expected[estimate]) <= 1e-4 * expected["SE"]
    assert found["std_error"] == pytest.approx(expected["SE"], rel=1e-4)
    assert found["df"] == pytest.approx(expected["df"], rel=1e-3)


def test_a_slope_at_every_visit_is_that_of_gls_with_kenward_roger_written_out(by_visit):
    reference = json.loads((DATA / "mmrm_by_visit.json").read_text())
    for expected in reference["differences"]:
        found = one(by_visit, term="difference", visit=f"month{expected['visit']}")
        agrees(found, expected)
        assert (found["model"], found["n"]) == ("mmrm", 97)
        assert "the baseline has a slope at every visit" in found["note"]
    for expected in reference["means"]:
        where = {"visit": f"month{expected['visit']}", "level": expected["level"]}
        agrees(one(by_visit, term="adjusted mean", **where), expected)
    variances = [one(by_visit, term="variance: participant", visit=v)["estimate"] for v in VISITS]
    np.testing.assert_allclose(variances, reference["variances"], rtol=1e-4)


def test_one_slope_is_that_of_mmrm(one_slope):
    """Differences and adjusted means at every visit, by mmrm with linear Kenward-Roger."""
    expected = json.loads((MODELS / "btheb_visits.json").read_text())["mmrm_us_Kenward_Roger"]
    for contrast in expected["contrasts"]:
        found = one(one_slope, term="difference", visit=f"month{contrast['visit']}")
        agrees(found, contrast)
        assert found["p_value"] == pytest.approx(contrast["p.value"], rel=1e-3)
        assert (found["n"], found["population"]) == (97, "observed-follow-ups")
        assert found["model"] == "mmrm-one-slope"
        assert "the baseline has one slope" in found["note"]
    for mean in expected["emmeans"]:
        where = {"visit": f"month{mean['visit']}", "level": mean["treatment"].lower()}
        found = one(one_slope, term="adjusted mean", **where)
        agrees(found, mean, "emmean")
        assert found["conf_low"] == pytest.approx(mean["lower.CL"], rel=1e-4)
    assert len(one_slope[one_slope["term"] == "difference"]) == 4


@pytest.fixture(scope="module")
def renamed(btheb_done, tmp_path_factory: pytest.TempPathFactory):
    """The study with weeks for visits and an MMRM for primary analysis, in a family of its own."""
    folder = replace(btheb_done, path=tmp_path_factory.mktemp("weeks"))
    shutil.copytree(btheb_done.path, folder.path, dirs_exist_ok=True)
    for old, new, months in zip(VISITS, WEEKS, ("0.25", "0.5", "1", "3"), strict=True):
        for file in ("study.yaml", "dictionary.csv"):
            folder.change(f"config/{file}", old, new, count=-1)
        folder.change("config/study.yaml", f"months: {old[5:]}}}", f"months: {months}}}")
    folder.change(PLAN, "month8", "week12", count=-1)
    folder.change(PLAN, "id: ancova, role: primary", "id: ancova, role: supporting")
    folder.change(PLAN, OBSERVED, OBSERVED.replace("supporting", "primary"))
    family = "families:\n  - {id: only, analysis: mmrm_observed, outcomes: [bdi], method: holm}\n"
    folder.change(PLAN, "subgroups:", family + "subgroups:")
    table = pd.read_parquet(folder / DERIVED / "imputed.parquet")
    names = {f"bdi_{old}": f"bdi_{new}" for old, new in zip(VISITS, WEEKS, strict=True)}
    with chdir(folder.path):
        files.write_parquet(DERIVED / "imputed.parquet", table.rename(columns=names))
        folder.analyse("mmrm_observed")
        results_of_it()
    return folder


def results_of_it() -> pd.DataFrame:
    out = Path("reports/results.csv")
    stage.run(parts=[DERIVED / "results/mmrm_observed.parquet"], out=out)
    return read_results(out)


@pytest.fixture
def copied(renamed, tmp_path, monkeypatch):
    """A copy of it, as the current folder."""
    shutil.copytree(renamed.path, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return replace(renamed, path=tmp_path)


def test_the_names_of_visits_decide_nothing(renamed, by_visit, monkeypatch):
    monkeypatch.chdir(renamed.path)
    table = read_results(Path("reports/results.csv"))
    differences = table[table["term"] == "difference"]
    assert differences["visit"].tolist() == list(WEEKS)
    before = [one(by_visit, term="difference", visit=visit) for visit in VISITS]
    for column in ("estimate", "std_error", "df", "p_value"):
        np.testing.assert_allclose(differences[column], [r[column] for r in before], rtol=1e-8)
    study, entry = load_study(), load_plan().analysis("mmrm_observed")
    assert headline(study, entry, set(WEEKS)) == "week12"
    assert headline(study, entry, set()) == ""
    assert headline(study, entry, {""}) == ""


def test_a_family_of_one_outcome_has_one_hypothesis(renamed):
    table = read_results(renamed / "reports/results.csv")
    rows = table[table["term"] == "difference"].set_index("visit")
    assert rows.loc["week12", "p_adjusted"] == rows.loc["week12", "p_value"]
    assert rows.loc["week12", "family"] == "only"
    others = rows.drop(index="week12")
    assert others["p_adjusted"].isna().all()
    assert set(others["family"]) == {""}


def test_the_plan_names_the_visit_that_stands_for_an_analysis(copied, renamed):
    named = OBSERVED.replace("supporting", "primary")
    copied.change(PLAN, named, named.replace("data", "visit: week4, data"))
    before = pd.read_parquet(renamed / "data/derived/results/mmrm_observed.parquet")
    pd.testing.assert_frame_equal(copied.analyse("mmrm_observed"), before)
    table = results_of_it()
    assert table[table["p_adjusted"].notna()]["visit"].tolist() == ["week4"]
    for old, new, sentence in (
        ("week4", "week3", "visit 'week3' is not in config/study.yaml"),
        ("week3", "baseline", "is at the baseline"),
    ):
        copied.change(PLAN, f"visit: {old}", f"visit: {new}")
        with pytest.raises(StudyError, match=sentence):
            copied.analyse("mmrm_observed")


def test_a_visit_at_which_the_outcome_is_not_measured_stands_for_nothing(copied):
    copied.change(PLAN, "model: mmrm, data: observed", "model: mmrm, visit: week12, data: observed")
    file = DERIVED / "imputed.parquet"
    files.write_parquet(file, pd.read_parquet(file).drop(columns="bdi_week12"))
    with pytest.raises(StudyError, match="at the visit 'week12', at which 'bdi' is not measured"):
        copied.analyse("mmrm_observed")


def test_the_report_speaks_of_the_last_visit_in_time(renamed, by_visit, monkeypatch):
    """Summary, standardised forest, detectable difference; and tables go from first to last."""
    monkeypatch.chdir(renamed.path)
    source = load(Path("reports/results.csv"), DERIVED / "flow.json")
    last = one(by_visit, term="difference", visit="month8")
    row = source.primary_row("bdi")
    assert row["visit"] == "week12"
    assert row["estimate"] == pytest.approx(last["estimate"], rel=1e-8)
    assert "Beck Depression Inventory at 8 months" in summary(source)["Primary outcome"]
    assert source.primary_row("bdi", "standardised difference")["visit"] == "week12"
    assert len(detectable(source).rows) == 1
    assert len(comparison(source).rows) == 1
    table = visits(source)
    assert [cells[1] for cells in table.rows] == ["2 months", "3 months", "5 months", "8 months"]
    assert any("the primary difference is that at 8 months" in note for note in table.notes)
    assert {cells[0] for cells in table.rows} == {
        "Beck Depression Inventory: MMRM with baseline by visit, observed visits (primary)"
    }
