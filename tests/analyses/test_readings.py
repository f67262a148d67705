"""What is read off a difference: detectable, beyond the MCID, in SDs; and correlation of teams."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nct, norm, t
from statsmodels.stats.power import TTestIndPower
from trial import ask, pick

from ccp_analysis.analyses.comparison import compare
from ccp_analysis.analyses.sample_size import (
    design_effect,
    detectable,
    required,
    required_by_t,
    sample_size_rows,
)
from ccp_analysis.config.plan import SampleSize
from ccp_analysis.models.intraclass import intraclass_interval
from ccp_analysis.models.ols import fit_ols


def full(**more):
    return ask(benefit="higher", mcid=3.0, power=0.8, **more)


@pytest.mark.parametrize("model", ["ancova", "change", "did", "mixed", "team-means"])
@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_every_difference_with_a_standard_error_has_its_readings(study, tables, model, data):
    rows = compare(model, study, tables, data, full())
    differences = [r for r in rows if r["term"] == "difference" and r.get("std_error")]
    for row in differences:
        own = {"inference": row["inference"]}
        scaled = pick(rows, "standardised difference", **own)
        assert scaled["p_value"] == row["p_value"]
        found = pick(rows, "minimum detectable difference", **own)
        true, critical = found["estimate"] / row["std_error"], t.ppf(0.975, row["df"])
        power = nct.sf(critical, row["df"], true) + nct.cdf(-critical, row["df"], true)
        assert power == pytest.approx(0.8, abs=1e-7)
        assert found["df"] == row["df"]
        assert "std_error" not in found
        for arm, sign in (("intervention", 1), ("control", -1)):
            beyond = pick(rows, "difference beyond MCID", level=arm, **own)
            assert beyond["estimate"] == pytest.approx(sign * row["estimate"] - 3)
            assert beyond["std_error"] == row["std_error"]
            assert beyond["threshold"] == 3
            ends = sorted(sign * row[end] - 3 for end in ("conf_low", "conf_high"))
            assert [beyond["conf_low"], beyond["conf_high"]] == pytest.approx(ends)
            assert beyond["p_value"] is None


@pytest.mark.parametrize(
    ("shift", "active", "reference"),
    [
        (-1.5, "the interval excludes a difference of 3 points", "the interval excludes"),
        (0.0, "the interval does not exclude a difference", "the interval excludes"),
        (9.0, "the whole interval is a difference of 3 points", "the interval excludes"),
    ],
)
def test_what_the_interval_excludes_is_said(study, tables, shift, active, reference):
    moved = tables.assign(y_after=tables["y_after"] + shift * (tables["arm"] == "intervention"))
    rows = compare("ancova", study, moved, "observed", full())
    ours = pick(rows, "difference beyond MCID", level="intervention")["note"]
    theirs = pick(rows, "difference beyond MCID", level="control")["note"]
    assert ours.startswith(active)
    assert ours.endswith("or more in favour of Intervention")
    assert theirs.startswith(reference)
    assert theirs.endswith("or more in favour of Control")


def test_where_lower_is_better_the_signs_turn(study, tables):
    higher, lower = (
        compare("ancova", study, tables, "observed", dataclasses.replace(full(), benefit=benefit))
        for benefit in ("higher", "lower")
    )
    for arm, other in (("intervention", "control"), ("control", "intervention")):
        ours = pick(lower, "difference beyond MCID", level=arm)
        theirs = pick(higher, "difference beyond MCID", level=other)
        for column in ("estimate", "conf_low"):
            assert ours[column] == theirs[column]


def test_without_mcid_or_power_there_is_neither_row(study, tables):
    terms = {row["term"] for row in compare("ancova", study, tables, "observed", ask())}
    assert terms == {"difference", "adjusted mean", "standardised difference"}


@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_the_team_correlation_has_an_exact_interval(study, tables, data):
    found = pick(compare("mixed", study, tables, data, ask()), "intraclass correlation")
    first = tables[tables["imputation"] == 0]
    dummies = pd.get_dummies(first["trust"], dtype=float).to_numpy()[:, 1:]
    arm, others = first["arm"] == "intervention", first[["y_before", "age", "female"]]
    X = np.column_stack([np.ones(len(first)), arm, dummies, others]).astype(float)
    teams = pd.factorize(first["team"])[0]
    limits = intraclass_interval(fit_ols(X, first["y_after"].to_numpy()), teams)
    assert found["conf_low"] == pytest.approx(limits.low, abs=1e-9)
    assert found["conf_high"] == pytest.approx(limits.high, rel=1e-9)
    assert found["conf_low"] <= found["estimate"] <= found["conf_high"]
    assert ("averaged over the imputations" in found["note"]) == (data == "imputed")


def test_a_correlation_of_zero_has_an_interval_and_says_that_it_is_truncated(study, tables):
    within = tables["y_after"] - tables.groupby("team")["y_after"].transform("mean")
    flat = tables.assign(y_after=within + 0.3 * tables["y_before"] + tables["index"] % 3)
    rows = compare("mixed", study, flat, "observed", ask())
    found = pick(rows, "intraclass correlation")
    assert found["estimate"] == found["conf_low"] == 0
    assert 0 < found["conf_high"] < 1
    assert "its lower limit truncated at zero" in found["note"]
    assert found["status"] == "boundary"


PLANNED = SampleSize(
    outcome="y", difference=2.5, sd=5, icc=0.05, retest=0.6, participants=240, clusters=10
)
NORMAL = norm.ppf(0.975) + norm.ppf(0.8)


def test_planned_numbers_by_hand():
    assert design_effect(PLANNED, 240) == pytest.approx(1 + 23 * 0.05)
    variance = 2 * 25 * (1 - 0.36) * 2.15 / 120
    assert detectable(PLANNED, 240, NORMAL) == pytest.approx(NORMAL * np.sqrt(variance))
    # The required number detects the planned difference.
    assert detectable(PLANNED, required(PLANNED, NORMAL), NORMAL) == pytest.approx(2.5)
    plain = PLANNED.model_copy(update={"icc": 0.0})
    assert required(plain, NORMAL) == pytest.approx(4 * 25 * 0.64 * NORMAL**2 / 2.5**2)
    # With few teams no number of people may be enough.
    crowded = PLANNED.model_copy(update={"icc": 0.2, "difference": 1.0})
    assert required(crowded, NORMAL) is None
    assert detectable(crowded, 1e9, NORMAL) > 1.0


ALONE = SampleSize(outcome="y", difference=2.5, sd=5, retest=0, participants=90)


def test_without_clusters_planned_numbers_are_those_of_a_t_test(study):
    """Two equal arms of people, as statsmodels has it."""
    other = TTestIndPower()
    needed = required_by_t(ALONE, 0.95, 0.8)
    assert other.power(0.5, needed / 2, 0.05) == pytest.approx(0.8, abs=1e-8)
    assert np.ceil(needed / 2) == 64  # per arm, of every textbook
    assert required(ALONE, NORMAL) == pytest.approx(4 * NORMAL**2 / 0.25)
    study = study.model_copy(update={"clusters": None})
    plan = SimpleNamespace(confidence_level=0.95, power=0.8)
    observed = pd.DataFrame({f"y_{v.id}": np.r_[np.ones(70), [np.nan] * 9] for v in study.visits})
    rows = pd.DataFrame(sample_size_rows(study, plan, ALONE, observed, "points"))
    found = rows[(rows["term"] == "detectable difference") & (rows["inference"] == "t")]
    for row in found.itertuples():
        power = other.power(row.estimate / 5, {"planned": 90, "achieved": 70}[row.level] / 2, 0.05)
        assert power == pytest.approx(0.8, abs=1e-8)
    assert len(found) == 2
    assert not set(rows["term"]) & {"clusters", "design effect"}
    assert not rows["note"].fillna("").str.contains("cluster|intraclass").any()


def test_the_baseline_takes_variance_and_a_degree_of_freedom():
    used = ALONE.model_copy(update={"retest": 0.6})
    needed = required_by_t(used, 0.95, 0.8)
    df, shift = needed - 3, 2.5 / (4 * 25 * 0.64 / needed) ** 0.5
    limit = t.ppf(0.975, df)
    assert nct.sf(limit, df, shift) + nct.cdf(-limit, df, shift) == pytest.approx(0.8, abs=1e-9)
