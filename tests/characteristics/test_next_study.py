"""The next trial: rows of both shipped studies by other means, and what stops before a run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nct, t
from support import reported
from support.cases import edits
from support.study import inside

from ccp_analysis import before
from ccp_analysis.characteristics import next_stage
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.trial import Trial
from ccp_analysis.report.marks import plain

POINT, UPPER, FLAT, SMALL = "point estimate", "upper limit", "flat", "primary_care"
POWER, ASSURANCE = "power of the next trial", "assurance"


def rows_of(study, **where: object) -> pd.DataFrame:
    rows = pd.read_parquet(study / "data/derived/results/next_study.parquet")
    return rows[
        np.logical_and.reduce([rows["term"] != "", *(rows[k] == v for k, v in where.items())])
    ]


def value(rows: pd.DataFrame, **where: object) -> float:
    found = rows[np.logical_and.reduce([rows[k] == v for k, v in where.items()])]
    assert len(found) == 1, where
    return float(found["estimate"].iloc[0])


@pytest.fixture(scope="module")
def social(ccp_done) -> pd.DataFrame:
    return rows_of(ccp_done, outcome="social_capital")


def power(difference: float, variance: float, df: float) -> float:
    limit, delta = t.ppf(0.975, df), difference / variance**0.5
    return float(nct.sf(limit, df, delta) + nct.cdf(-limit, df, delta))


def test_power_is_that_of_the_variances_sizes_and_losses_in_the_data(ccp_done, social):
    """From the mixed model's rows and a plain count of people, by SciPy's noncentral t."""
    mixed = pd.read_parquet(ccp_done / "data/derived/results/mixed_observed.parquet")
    mixed = mixed[mixed["outcome"] == "social_capital"]
    between, within = (value(mixed, term=f"variance: {part}") for part in ("team", "residual"))
    people = pd.read_parquet(ccp_done / "data/derived/imputed.parquet").query("imputation == 0")
    seen = people.dropna(subset=["social_capital_month6"])
    lost = 1.0 - len(seen) / len(people)
    first, second = seen.groupby(["arm", "trust"]).size().unstack().to_numpy()
    weights = first * second / (first + second)
    cv, kept = weights.std(ddof=1) / weights.mean(), 4.0 * weights.mean() * 5 / len(seen)
    assert value(social, term="share lost to follow-up") == pytest.approx(lost)
    for pairs, n in ((8, 15), (20, 30)):
        variance = 2.0 * (within / ((1 - lost) * n * kept) + (1 + cv**2) * between) / pairs
        found = value(social, term=POWER, level=POINT, subgroup=f"{pairs} pairs, {n} people")
        assert found == pytest.approx(power(2.5, variance, pairs / (1 + cv**2) - 1), abs=1e-8)


def test_sizes_that_are_needed_are_where_the_grid_crosses_what_is_wanted(social):
    plan = load_plan_of(social)
    for term, level in ((POWER, POINT), (POWER, UPPER), (ASSURANCE, FLAT), (ASSURANCE, SMALL)):
        chances = social[(social["term"] == term) & (social["level"] == level)]
        needed = social[(social["term"] == "required pairs") & (social["level"] == level)]
        for people in plan["people"]:
            at = {n: value(chances, subgroup=f"{n} pairs, {people} people") for n in plan["pairs"]}
            assert list(at.values()) == sorted(at.values())
            for wanted in (0.8, 0.9):
                pairs = value(needed, subgroup=f"{people} people", threshold=wanted)
                assert all((chance >= wanted) == (n >= pairs) for n, chance in at.items())


def load_plan_of(social: pd.DataFrame) -> dict[str, list[int]]:
    """Return the pairs and people that the rows are of."""
    named = social.loc[social["term"] == POWER, "subgroup"].str.extract(r"(\d+) pairs, (\d+) p")
    return {"pairs": sorted(set(named[0].astype(int))), "people": sorted(set(named[1].astype(int)))}


def test_what_is_not_known_of_teams_costs_pairs(social):
    needed = social[(social["term"] == "required pairs") & (social["threshold"] == 0.8)]
    by_level = {
        level: value(needed, level=level, subgroup="15 people")
        for level in (SMALL, POINT, FLAT, UPPER)
    }
    assert list(by_level.values()) == sorted(set(by_level.values()))
    blind = value(needed, level=FLAT, subgroup="15 people, correlation with the baseline 0")
    assert blind > by_level[FLAT]
    most = value(social, term="assurance with any number of people", level=FLAT, subgroup="8 pairs")
    assert value(social, term=ASSURANCE, level=FLAT, subgroup="8 pairs, 30 people") < most < 0.9


def test_costs_are_those_of_the_evaluation_and_the_plan(ccp_done, social):
    items = pd.read_parquet(ccp_done / "data/derived/intervention.parquet")
    of_pair = (items["quantity"] * items["price"]).sum() / 5 + 2 * 4000
    assert value(social, term="cost of a cluster") == pytest.approx(of_pair / 2)
    where = {"level": FLAT, "subgroup": "20 people", "threshold": 0.9}
    pairs = value(social, term="required pairs", **where)
    expected = pairs * (of_pair + 2 * 20 * 400)
    assert value(social, term="cost of the trial", **where) == pytest.approx(expected)


def test_people_are_allocated_where_there_are_no_clusters(btheb_done):
    """Without a difference to be found: that which 100 in each arm find, by the t test's power."""
    rows = rows_of(btheb_done)
    assert not rows["term"].isin(["intraclass correlation", "required pairs"]).any()
    found = rows[(rows["term"] == "detectable difference") & (rows["threshold"] == 0.8)]
    point = found[(found["level"] == POINT) & (found["subgroup"] == "100 people")].iloc[0]
    complete = pd.read_parquet(btheb_done / "data/derived/results/ancova_complete.parquet")
    n = int(complete["n"].max())
    lost = 1.0 - n / 100
    assert point["df"] == pytest.approx(2 * 100 * (1 - lost) - 5)
    sd = value(rows, term="standard deviation")
    detected = point["estimate"] / (2.0 / (100 * (1 - lost))) ** 0.5
    # The posterior median of the standard deviation lies near the estimate.
    assert power(detected, sd**2, point["df"]) == pytest.approx(0.8, abs=0.01)
    assured = value(found, level=FLAT, subgroup="100 people")
    assert point["estimate"] < assured < 1.1 * point["estimate"]


def test_the_report_says_what_is_needed_and_of_whom(ccp_done, btheb_done):
    source = ccp_done.source()
    table, text = reported.tables(source)["next_study"], plain(reported.text(source))
    assert len(table.rows) == 20 and all(all(row) for row in table.rows)
    assert "## For the next study" in text and "A next trial needs" in text
    assert "assumed for illustration" in text and "degrees of freedom" in text
    first = reported.figure(source, "next_study")
    assert len(first.draw(source).axes) == 2
    other = btheb_done.source()
    assert not reported.is_drawn(other, "next_study")
    assert len(reported.tables(other)["next_study"].rows) == 8
    assert "A next trial needs" not in reported.text(other)


def test_an_outcome_that_is_no_number_is_said_and_the_others_stand(copy_of_ccp, monkeypatch):
    plan = load_plan()
    entries = [
        entry.model_copy(update={"outcomes": ["wellbeing"], "model": "poisson"})
        if entry.id == "ancova"
        else entry.model_copy(update={"outcomes": ["social_capital"]})
        for entry in plan.analyses
    ]
    changed = plan.model_copy(update={"analyses": entries})
    monkeypatch.setattr(next_stage, "load_plan", lambda: changed)
    rows = copy_of_ccp.run("next_study")
    (only,) = rows[rows["outcome"] == "wellbeing"].to_dict("records")
    assert (only["status"], only["term"]) == ("failed", ASSURANCE)
    assert "none of ratios" in only["note"]
    assert (rows["outcome"] == "social_capital").sum() > 100


FAULTS = edits("characteristics/data/faults.csv")


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_said_before_the_first_job(ccp_study, case):
    [change], sentence = FAULTS[case]
    ccp_study.change(*change)
    found = before.faults(Trial())
    assert len(found) == 1 and sentence in found[0], found
    assert "config/analysis.yaml" in found[0]


def test_clusters_are_not_asked_about_where_there_are_none(btheb_study):
    people = "  people: [50, 100, 150, 200]"
    btheb_study.change("config/analysis.yaml", people, f"  pairs: [5, 10]\n{people}")
    with inside(btheb_study.path):
        (found,) = before.faults(Trial())
    assert "next_study.pairs is of clusters" in found
