"""The whole economic evaluation against a second programming of it in R, from its description.

`data/evaluation.R` was written from docs/economics.md and the configuration, without this code.
Here the rules `cost` and `evaluate` run on the same extract: 151 people of the study as observed
and four times imputed (all synthetic), with a copy of the configuration that they need. The
bootstrap is the only part that R does not repeat.
"""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccp_analysis.config.economics import load_economics
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.economics import costs as costing
from ccp_analysis.economics import stage
from ccp_analysis.economics.compared import compared
from ccp_analysis.economics.outcomes import QALY, evaluated
from ccp_analysis.economics.ratios import Effect, pooled_pair
from ccp_analysis.economics.setting import main_setting, setting_of, source
from ccp_analysis.economics.variations import PER_QALY
from ccp_analysis.models.ratio import fieller
from ccp_analysis.results.terms import Term

DATA = Path(__file__).parent / "data"
STUDY = DATA / "evaluation"
M = 4
KEY = [
    *("analysis", "population", "model", "inference", "visit", "outcome", "term", "level"),
    *("threshold", "at"),
]
# Relative, of what has a standard error relative to that where it is the larger.
TOLERANCE = 1e-9
ON_THE_SCALE_OF_THE_ERROR = ("estimate", "conf_low", "conf_high")
RELATIVE = ("std_error", "df", "statistic", "p_value", "fmi", "mc_error")
NUMBERS = (*ON_THE_SCALE_OF_THE_ERROR, *RELATIVE)


@pytest.fixture(scope="module")
def r() -> dict:
    return json.loads((DATA / "evaluation.json").read_text())


@pytest.fixture(scope="module")
def tables() -> pd.DataFrame:
    """Return the extract: imputations 0 (observed) to 4."""
    dates = ["interview_date_baseline", "interview_date_month6"]
    return pd.read_csv(DATA / "evaluation.csv", parse_dates=dates)


@pytest.fixture(scope="module")
def written(tables, tmp_path_factory) -> dict[str, pd.DataFrame]:
    """Return what the rules `cost` and `evaluate` write."""
    folder = tmp_path_factory.mktemp("evaluation")
    path = {
        name: folder / f"{name}.parquet"
        for name in ("participants", "imputed", "costs", "prices", "intervention", "results")
    }
    people = tables[tables["imputation"] == 0].drop(columns="imputation")
    came = people["interview_date_month6"].notna()
    people = people.assign(interviewed_baseline=True, interviewed_month6=came, left=None)
    people.to_parquet(path["participants"])
    tables.to_parquet(path["imputed"])
    rule = {name: path[name] for name in ("participants", "costs", "prices", "intervention")}
    with chdir(STUDY):
        costing.run(**rule)
        figures = folder / "figures.parquet"
        stage.run(imputed=path["imputed"], results=path["results"], figures=figures, **rule)
    return {name: pd.read_parquet(file) for name, file in path.items()}


@pytest.fixture(scope="module")
def both(written, r) -> pd.DataFrame:
    """Return the rows of the evaluation beside those of R, without the bootstrap's."""
    ours = written["results"]
    ours = ours[ours["model"] != "two-stage-bootstrap"]
    # Nor does it have other averages of the pairs, which are tested with their model.
    ours = ours[~ours["term"].isin([Term.OF_PARTICIPANTS, Term.BY_SIZE])]
    # Nor random draws of reference-based imputation.
    drawn = ours["note"].str.contains("information-anchored")
    ours = ours[~drawn].assign(at=[_at(row) for row in ours[~drawn].itertuples()])
    theirs = pd.DataFrame(r["rows"])
    parts = []
    for table in (ours, theirs):
        # The quadrant of a ratio stands in its level.
        at = {"threshold": table["threshold"].astype(float).fillna(-1.0)}
        at |= {name: table[name].fillna("") for name in ("level", "at")}
        parts.append(table.assign(**at)[[*KEY, "n", *NUMBERS, *(["m"] if table is ours else [])]])
    return parts[0].merge(
        parts[1], on=KEY, how="outer", suffixes=("", "_r"), validate="1:1", indicator=True
    )


def _at(row) -> str:
    """Return what sets a row apart beside the rest of its key."""
    if row.analysis == "economics_departures":
        delta = "" if np.isnan(row.delta) else f"{row.delta:g}"
        return f"{row.perspective}, {delta}"
    return row.perspective if row.analysis == "economics_reference_based" else row.subgroup


def test_the_rows_are_the_same(both):
    unmatched = both.loc[both["_merge"] != "both", [*KEY, "_merge"]]
    assert unmatched.empty, unmatched.to_string()
    assert len(both) == 759
    np.testing.assert_array_equal(both["n"].astype(float), both["n_r"].astype(float))
    of_imputations = both["population"].eq("all-with-baseline") & both["model"].ne("descriptive")
    of_imputations &= both["inference"].ne("jackknife")
    assert both.loc[of_imputations & both["term"].eq("difference"), "m"].eq(M).all()


@pytest.mark.parametrize(
    "which",
    [
        "ancova",
        "net-benefit",
        "team-means",
        "sur",
        "log-link",
        "descriptive",
        *(f"economics_{v}" for v in ("societal", "prices_down", "prices_up", "inpatient_up")),
        *(f"economics_{v}" for v in ("complete_cases", "winsorised", "caseload", "teams")),
        *(f"economics_{v}" for v in ("interview_dates", "value_set")),
        *(f"economics_{v}" for v in ("costs_worse", "costs_better")),
        *(f"economics_{v}" for v in ("utility_worse", "utility_better", "together")),
        *(f"economics_{v}" for v in ("costs_times", "friction")),
        *(f"economics_{v}" for v in ("departures", "reference_based")),
        *(f"economics_adjust_{v}" for v in ("pair", "change", "own", "both")),
    ],
)
def test_numbers_are_those_of_r(both, which):
    varied = which.startswith("economics_")
    analysis, model = (which, both["model"]) if varied else ("economics", which)
    rows = both[(both["analysis"] == analysis) & (both["model"] == model)]
    assert len(rows) >= 4
    error = rows["std_error_r"].astype(float).fillna(0.0)
    for name in NUMBERS:
        ours, theirs = rows[name].astype(float), rows[f"{name}_r"].astype(float)
        assert (ours.isna() == theirs.isna()).all(), rows.loc[ours.isna() != theirs.isna(), KEY]
        size = theirs.abs()
        if name in ON_THE_SCALE_OF_THE_ERROR:
            size = np.maximum(size, error)
        # A statistic and its p-value are as sure as the estimate is beside its error.
        if name == "statistic":
            size = np.maximum(size, 1.0)
        off = rows[(ours - theirs).abs() > TOLERANCE * size]
        assert off.empty, off[[*KEY, name, f"{name}_r"]].to_string()


def test_every_kind_of_number_is_compared(both):
    for model, names in {
        "ancova": NUMBERS,
        "net-benefit": NUMBERS,
        "sur": NUMBERS,
        "log-link": NUMBERS,
        "team-means": NUMBERS,
        "descriptive": ("estimate",),
    }.items():
        rows = both[both["model"] == model]
        assert all(rows[f"{name}_r"].notna().any() for name in names)


def test_what_a_person_costs_and_achieves_is_as_r_says(written, tables, r):
    theirs = pd.DataFrame(r["people"]).set_index("participant").astype(float)
    ours = written["costs"].set_index("participant").loc[theirs.index]
    assert theirs["cost_month6"].isna().sum() > 20
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-13, err_msg=name)
    people = tables[tables["imputation"] == 0].set_index("participant").loc[theirs.index]
    societal = costing.total_costs(people, written["prices"], "societal")
    for visit in ("baseline", "month6"):
        found, expected = societal[f"cost_{visit}"], theirs[f"societal_{visit}"]
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_prices_and_items_are_as_r_says(written, r):
    prices = written["prices"].set_index(["visit", "service"])["price"]
    for visit in ("baseline", "month6"):
        ours = prices[visit]
        assert set(ours.index) == set(r["prices"])
        np.testing.assert_allclose(ours, [r["prices"][k] for k in ours.index], rtol=1e-14)
    ours = written["intervention"].set_index("item")["cost"]
    np.testing.assert_allclose(ours[r["items"]["item"]], r["items"]["cost"], rtol=1e-14)


@pytest.fixture(scope="module")
def read(written, tables):
    with chdir(STUDY):
        configured = load_study(), load_plan(), load_economics()
    made = (written[name] for name in ("prices", "costs", "participants"))
    return source(*configured, tables, *made)


def test_life_years_of_each_person_are_as_r_says(read, r):
    theirs = pd.DataFrame(r["people"]).set_index("participant")
    order = read.people["participant"]
    dated = next(v for v in read.economics.sensitivity if v.id == "interview_dates")
    settings = {"qaly": main_setting(read.economics), "qaly_interviews": setting_of(read, dated)}
    for name, setting in settings.items():
        ours = evaluated(read, setting).tables[QALY].to_numpy()[: read.n]
        expected = theirs.loc[order, name].astype(float)
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-15, err_msg=name)
    assert (theirs["qaly"] - theirs["qaly_interviews"]).abs().max() > 0.001


def test_pooled_covariances_and_limits_of_ratios_are_those_of_r(read, r):
    variations = {f"economics_{v.id}": v for v in read.economics.sensitivity}
    settings = {k: setting_of(read, v) for k, v in variations.items()}
    settings["economics"] = main_setting(read.economics)
    pairs = pd.DataFrame(r["pairs"])
    assert len(pairs) == len(settings) + 1
    for row in pairs.itertuples():
        setting, effect, more = settings[row.analysis], PER_QALY, ()
        if row.outcome != "cost per qaly":
            more = ("social_capital_month6", "social_capital_baseline")
            effect = Effect("social_capital", more[0], "point")
        values = evaluated(read, setting)
        data = compared(read.study, read.plan, values, setting.data, more)
        pair = pooled_pair(data, effect)
        size = np.sqrt([row.cost_variance, row.effect_variance])
        theirs = np.array(
            [[row.cost_variance, row.covariance], [row.covariance, row.effect_variance]]
        )
        where = f"{row.analysis}, {row.outcome}"
        off = (pair.estimate - [row.cost, row.effect]) / size
        np.testing.assert_allclose(off, 0.0, atol=TOLERANCE, err_msg=where)
        off = (pair.covariance - theirs) / np.outer(size, size)
        np.testing.assert_allclose(off, 0.0, atol=TOLERANCE, err_msg=where)
        assert pair.df == pytest.approx(row.df, rel=TOLERANCE)
        found = fieller(pair.estimate, pair.covariance, pair.df, row.level)
        limits = [float(found.low), float(found.high)]
        np.testing.assert_allclose(limits, [row.low, row.high], rtol=1e-8, err_msg=where)
