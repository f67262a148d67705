"""MMRM and cLDA: of a clustered trial, under imputation, and what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import trial
from trial import ask, failing, pick

from ccp_analysis.analyses.comparison import attempt, compare
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.models.mixed import fit_mixed
from ccp_analysis.models.small_sample import kenward_roger

MONTHS = {"before": 0, "after": 6, "late": 12}
THREE = [{"id": v, "label": v.capitalize(), "months": m} for v, m in MONTHS.items()]


@pytest.fixture(scope="module")
def study() -> Study:
    return trial.study(visits=THREE)


@pytest.fixture(scope="module")
def tables() -> pd.DataFrame:
    """The trial with a third visit, which some missed; the imputations differ in it."""
    tables = trial.tables()
    noise = np.random.default_rng(5).normal(size=tables["index"].max() + 1)
    late = 0.5 * tables["y_after"] + 0.3 * tables["y_before"] + 3 * noise[tables["index"]] + 4
    late += np.where(tables["index"] % 5 == 0, tables["imputation"] * 0.4, 0.0)
    gone = (tables["index"] % 5 == 0) & (tables["imputation"] == 0)
    return tables.assign(y_late=late.mask(gone))


def asked(**more):
    return ask(value="y", **more)


def by_hand(frame: pd.DataFrame, visits: list[str], model: str):
    """Fit the same model from a design written out: arm and Trust at every visit."""
    baseline = model == "clda"
    long = pd.concat([frame.assign(visit=k, y=frame[f"y_{v}"]) for k, v in enumerate(visits)])
    long = long.dropna(subset=["y"])
    at = pd.get_dummies(long["visit"], dtype=float).to_numpy()
    arm = (long["arm"] == "intervention").to_numpy(float)[:, None]
    trust = pd.get_dummies(long["trust"], dtype=float).to_numpy()[:, 1:]
    trust = trust - trust.mean(axis=0)
    covariates = ["age", "female"] + ["y_before"] * (model == "mmrm-one-slope")
    numbers = long[covariates].to_numpy()
    parts = [at, (arm * at)[:, int(baseline) :], numbers - numbers.mean(axis=0)]
    parts += [trust * at[:, [k]] for k in range(len(visits))]
    if model == "mmrm":
        parts.append(at * (long["y_before"] - long["y_before"].mean()).to_numpy()[:, None])
    person, team = (pd.factorize(long[c])[0] for c in ("participant", "team"))
    X = np.column_stack(parts)
    fit = fit_mixed(X, long["y"].to_numpy(), person, long["visit"].to_numpy(), team=team)
    k = len(visits)
    return fit, kenward_roger(fit, np.eye(X.shape[1])[k : 2 * k - int(baseline)])


@pytest.mark.parametrize("model", ["mmrm", "mmrm-one-slope", "clda"])
def test_with_clusters_team_and_team_by_visit_are_in_the_model(study, tables, model):
    visits = [v["id"] for v in THREE][int(model != "clda") :]
    fit, expected = by_hand(tables[tables["imputation"] == 0], visits, model)
    assert fit.team_covariance is not None
    rows = compare(model, study, tables, "observed", asked(power=0.8))
    for position, visit in enumerate(("after", "late")):
        found = pick(rows, "difference", visit=visit)
        error = expected.std_error[position]
        assert found["estimate"] == pytest.approx(expected.estimate[position], abs=1e-5 * error)
        assert found["std_error"] == pytest.approx(error, rel=1e-5)
        assert found["df"] == pytest.approx(expected.df[position], rel=1e-4)
        assert found["df"] < 20
        assert (found["inference"], found["n"], found["n_clusters"]) == ("kenward-roger", 151, 10)
        slopes = {"mmrm": "a slope at every visit", "mmrm-one-slope": "has one slope"}
        assert found["model"] == model
        assert slopes.get(model, "same mean at baseline") in found["note"]
        assert found["population"] == "observed-follow-ups"
        means = [pick(rows, "adjusted mean", visit=visit, level=a) for a in study.arms.ordered]
        assert means[1]["estimate"] - means[0]["estimate"] == pytest.approx(found["estimate"])
        pick(rows, "minimum detectable difference", visit=visit)
        pick(rows, "standardised difference", visit=visit)
    between = fit.team_covariance
    assert pick(rows, "variance: team")["estimate"] == pytest.approx(between[0, 1], abs=1e-4)
    by_visit = pick(rows, "variance: team and visit")["estimate"]
    assert by_visit == pytest.approx(between[0, 0] - between[0, 1], abs=1e-4)
    for position, visit in enumerate(visits):
        within = pick(rows, "variance: participant", visit=visit)["estimate"]
        assert within == pytest.approx(fit.covariance[position, position], rel=1e-4)


def test_clda_says_what_it_assumes_where_arms_are_not_randomised(study, tables):
    rows = compare("clda", study, tables, "observed", asked())
    for visit in ("after", "late"):
        note = pick(rows, "difference", visit=visit)["note"]
        assert "assumes that the arms had the same mean at baseline" in note
    assert [r for r in rows if r["term"] == "difference" and r["visit"] == "before"] == []
    randomised = trial.study(visits=THREE, randomised=True)
    rows = compare("clda", randomised, tables, "observed", asked())
    assert "assumes" not in str(pick(rows, "difference", visit="late").get("note"))


def test_a_boundary_is_said(study, tables):
    flat = tables.copy()
    for visit in ("after", "late"):
        name = f"y_{visit}"
        flat[name] -= flat.groupby(["imputation", "team"])[name].transform("mean")
    for data, where in (("observed", ""), ("imputed", "(in 2 of 2 imputations)")):
        rows = compare("mmrm", study, flat, data, asked())
        assert {row["status"] for row in rows} == {"boundary"}
        note = pick(rows, "difference", visit="late")["note"]
        assert "team effects is estimated at the edge" in note
        assert note.endswith(where)


@pytest.mark.parametrize(
    ("model", "value", "before", "sentence"),
    [
        ("mmrm", "y", True, "needs at least two follow-ups of 'y'.*model: clda"),
        ("mmrm", "z", True, "'z' is not measured at any follow-up"),
        ("clda", "y", False, "'y' is not measured at the visit 'before'"),
        ("did", "y_after", False, "'y' is not measured at the visit 'before'"),
    ],
)
def test_visits_that_are_not_there_are_said(tables, model, value, before, sentence):
    there = tables if before else tables.drop(columns="y_before")
    with pytest.raises(StudyError, match=sentence):
        compare(model, trial.study(), there, "observed", ask(value=value))


def test_visits_never_seen_together_fail_in_a_sentence(study, tables):
    half = tables["index"] % 2 == 0
    apart = tables.assign(y_after=tables["y_after"].mask(half), y_late=tables["y_late"].mask(~half))
    given = study, apart, "observed", asked()
    assert "never" in failing("mmrm", *given)["note"]
    with pytest.raises(StudyError, match="The primary analysis failed: a, y: "):
        attempt("a", "primary", "mmrm", *given)


@pytest.mark.parametrize("model", ["ancova", "did", "mmrm"])
def test_people_whose_outcome_does_not_exist_are_left_out_of_every_completed_table(
    study, tables, model
):
    """Who died before a visit has no outcome there, in no imputation."""
    dead = tables["index"].isin([4, 40])
    gone = tables.assign(y_after=tables["y_after"].mask(dead), y_late=tables["y_late"].mask(dead))
    question = ask() if model != "mmrm" else asked()
    where = {"visit": "late"} if model == "mmrm" else {"inference": "cr2"}
    found = pick(compare(model, study, gone, "imputed", question), "difference", **where)
    assert found["n"] == (151 if model == "did" else 149)
    if model != "did":
        without = compare(model, study, tables[~dead], "imputed", question)
        assert found == pick(without, "difference", **where)
    if model == "ancova":
        some = tables["y_after"].mask(dead & (tables["imputation"] == 1))
        with pytest.raises(ValueError, match="imputed in some of the tables only"):
            compare(model, study, gone.assign(y_after=some), "imputed", question)
