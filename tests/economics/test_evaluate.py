"""The economic evaluation of a small trial, by hand; and of the study, as a whole."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import small_trial
from scipy.special import stdtr
from small_trial import BLANK, DEAD, DEAD_AT, LOST, M, one, small

from ccp_analysis import files
from ccp_analysis.analyses.models.ancova import ancova
from ccp_analysis.analyses.question import Question
from ccp_analysis.config.economics import load_economics
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.economics.bootstrap import Draws
from ccp_analysis.economics.compared import MEASURES, compared
from ccp_analysis.economics.estimation import ancova_rows, sur_rows
from ccp_analysis.economics.outcomes import (
    BASELINE_COST,
    BASELINE_UTILITY,
    COST,
    QALY,
    evaluated,
    visit_costs,
)
from ccp_analysis.economics.ratios import (
    QUADRANTS,
    Effect,
    in_words,
    pooled_pair,
    quadrant,
    ratio_rows,
)
from ccp_analysis.economics.setting import main_setting, setting_of, source
from ccp_analysis.economics.stage import main_rows
from ccp_analysis.economics.uncertainty import about
from ccp_analysis.economics.variations import PER_QALY, variation_rows
from ccp_analysis.errors import StudyError
from ccp_analysis.models.pooling import pool
from ccp_analysis.models.sur import fit_sur
from ccp_analysis.results.table import results_table

TIGHT = {"rel": 1e-9, "abs": 1e-9}


@pytest.fixture(scope="module")
def trial():
    return small()


@pytest.fixture(scope="module")
def main(trial):
    return evaluated(trial, main_setting(trial.economics))


@pytest.fixture(scope="module")
def data(trial, main):
    return compared(trial.study, trial.plan, main, "imputed")


@pytest.fixture(scope="module")
def rows(trial):
    return main_rows(trial, 7200.0)


def column(trial, values, name: str) -> np.ndarray:
    return values.tables[name].to_numpy().reshape(M + 1, trial.n)


def same_number(one: float | None, other: float | None) -> bool:
    return one is other is None or one == pytest.approx(other, **TIGHT)


def varied(**what):
    """Return the trial with one variation, and what that evaluates."""
    entry = {"id": "v", "label": "V", **what}
    source = small(economics={"sensitivity": [entry]})
    return source, evaluated(source, setting_of(source, source.economics.sensitivity[0]))


# ------------------------------------------------------------------ costs and effects


def test_a_cost_is_the_services_and_the_share_of_the_intervention(trial, main):
    found, active = column(trial, main, COST), trial.arm() == "new"
    own = trial.stacked("gp_after") * 40 + trial.stacked("bed_after") * 430
    own[:, DEAD] *= DEAD_AT
    np.testing.assert_allclose(found, own + 7200 / active.sum() * active)
    np.testing.assert_allclose(found, trial.stacked("cost_after") + 200 * active)
    assert np.flatnonzero(np.isnan(found[0])).tolist() == sorted([*LOST, BLANK, DEAD])
    assert not np.isnan(found[1:]).any()
    before = trial.stacked("gp_before") * 40 + trial.stacked("bed_before") * 430
    np.testing.assert_allclose(column(trial, main, BASELINE_COST), before)


def test_life_years_of_the_living_and_the_dead(trial, main):
    u0, u1 = trial.stacked("u_before"), trial.stacked("u_after")
    by_hand = (u0 + u1) / 4
    by_hand[:, DEAD] = u0[:, DEAD] * DEAD_AT * 0.5 / 2
    np.testing.assert_allclose(column(trial, main, QALY), by_hand)
    np.testing.assert_array_equal(column(trial, main, BASELINE_UTILITY), u0)


def test_whoever_died_before_the_period_costs_nothing_in_it():
    tables = small_trial.imputed(small_trial.people())
    gone = tables["participant"] == "P030"
    tables.loc[gone, "alive_after"] = 0.0
    tables.loc[gone, small_trial.FOLLOW_UP] = np.nan
    source = small(tables=tables)
    found = evaluated(source, main_setting(source.economics))
    assert (column(source, found, COST)[:, DEAD] == 200).all()  # the intervention
    assert (column(source, found, QALY)[:, DEAD] == 0).all()


def test_costs_and_life_years_of_several_follow_ups_add_up():
    complete = small_trial.people()
    for name in ("gp", "bed", "days", "u", "v"):
        complete[f"{name}_mid"] = complete[f"{name}_before"].to_numpy()[::-1]
    complete["alive_mid"] = 1.0
    visits = [
        {"id": "before", "label": "Before", "months": 0},
        {"id": "mid", "label": "Middle", "months": 2},
        {"id": "after", "label": "After", "months": 6},
        {"id": "late", "label": "Late", "months": 12},
    ]
    source = small(
        study={"visits": visits},
        tables=small_trial.imputed(complete),
        price_table=small_trial.prices(("before", "mid", "after")),
    )
    found = evaluated(source, main_setting(source.economics))
    active = source.arm() == "new"
    mid = source.stacked("gp_mid") * 40 + source.stacked("bed_mid") * 430
    whole = mid + source.stacked("cost_after") + 200 * active
    np.testing.assert_allclose(column(source, found, COST), whole)
    u0, u1, u2 = (source.stacked(f"u_{v}") for v in ("before", "mid", "after"))
    living = np.arange(source.n) != DEAD
    by_hand = (u0 + u1) / 2 * 2 / 12 + (u1 + u2) / 2 * 4 / 12
    np.testing.assert_allclose(column(source, found, QALY)[:, living], by_hand[:, living])
    dead = (u0 + u1)[:, DEAD] / 2 * 2 / 12 + u1[:, DEAD] / 2 * DEAD_AT * 4 / 12
    np.testing.assert_allclose(column(source, found, QALY)[:, DEAD], dead)
    found = main_rows(source, 7200.0)[0]
    assert not [row for row in found if row.get("status") == "failed"]
    means = [r for r in found if r["term"] == "mean" and r["outcome"] == "cost"]
    assert {r.get("visit") for r in means} == {"before", "mid", "after"}


# ------------------------------------------------------------------ models


def test_one_design_adjusts_costs_and_effects_as_ancova_does(trial, main, data):
    """The rows are those of the analyses' own ANCOVA with the other baseline as a covariate."""
    for measure, baseline, other in zip(
        MEASURES,
        (BASELINE_COST, BASELINE_UTILITY),
        (BASELINE_UTILITY, BASELINE_COST),
        strict=True,
    ):
        ask = Question(
            measure.outcome,
            measure.value,
            baseline,
            [other, "age"],
            measure.scale,
            0.95,
            standardise=False,
        )
        expected = ancova(trial.study, main.tables, "imputed", ask)
        for row, own in zip(expected, ancova_rows(data, measure), strict=True):
            for key in ("estimate", "std_error", "df", "conf_low", "conf_high"):
                assert own[key] == pytest.approx(row[key], **TIGHT)
            assert (own["term"], own["level"], own["n"]) == (row["term"], row["level"], row["n"])


def test_net_benefit_is_what_effects_are_worth_less_costs(data, rows):
    found = rows[0]
    cost, qaly = (
        one(found, model="ancova", outcome=o, term="difference", population="all-with-baseline")
        for o in ("cost", "qaly")
    )
    for worth in (0, 10000, 20000, 30000):
        row = one(found, model="net-benefit", threshold=worth, term="difference")
        expected = worth * qaly["estimate"] - cost["estimate"]
        assert row["estimate"] == pytest.approx(expected, **TIGHT)
    # In every imputation, not only on average.
    y = data.values(COST, QALY)
    both, _ = data.fit_all(y)
    benefit, _ = data.fit_all(20000 * y[:, 1:] - y[:, :1])
    expected = 20000 * both.estimate[:, 1, 0] - both.estimate[:, 0, 0]
    np.testing.assert_allclose(benefit.estimate[:, 0, 0], expected)
    # And between the pairs of teams.
    cost, qaly = (
        one(
            found,
            model="team-means",
            inference="paired-t",
            outcome=o,
            term="difference",
            population="all-with-baseline",
        )
        for o in ("cost", "qaly")
    )
    for worth in (20000, 30000):
        row = one(found, model="team-means", outcome="net_benefit", threshold=worth)
        expected = worth * qaly["estimate"] - cost["estimate"]
        assert row["estimate"] == pytest.approx(expected, **TIGHT)


def test_acceptability_is_the_t_distribution_of_the_pooled_row(rows):
    for worth in (0, 10000, 20000, 30000):
        at = {"model": "net-benefit", "threshold": worth}
        row = one(rows[0], **at, term="difference")
        share = one(rows[0], **at, term="probability cost-effective")
        assert share["estimate"] == pytest.approx(stdtr(row["df"], row["statistic"]))
        one_sided = row["p_value"] / 2
        both = share["estimate"], 1 - share["estimate"]
        assert min(both) == pytest.approx(one_sided)
        assert share["scale"] == "proportion"
        assert "one-sided" in share["note"]


def test_the_covariance_of_costs_and_effects_is_that_of_net_benefit(data):
    """Var(lambda E - C) = lambda^2 Var(E) - 2 lambda Cov + Var(C), within and between."""
    pair = pooled_pair(data, PER_QALY)
    y = data.values(COST, QALY)
    for worth in (500.0, 20000.0):
        found, _ = data.fit_all(worth * y[:, 1:] - y[:, :1])
        total = pool(found.estimate[:, 0, 0], found.std_error[:, 0, 0] ** 2).total
        weights = np.array([-1.0, worth])
        assert weights @ pair.covariance @ weights == pytest.approx(total)


def test_seemingly_unrelated_regressions_have_each_its_own_baseline(trial, data):
    found = sur_rows(data)
    assert [(r["outcome"], r["term"]) for r in found] == [
        *product(["cost"], ["difference", "adjusted mean", "adjusted mean"]),
        *product(["qaly"], ["difference", "adjusted mean", "adjusted mean"]),
        ("cost and qaly", "residual correlation"),
    ]
    chosen = data.chosen
    first = chosen.first
    trusts = pd.get_dummies(first["trust"]).to_numpy(dtype=float)
    active = (first["arm"] == "new").to_numpy(dtype=float)

    def X(name):
        own = chosen.stacked(name)
        shared = np.column_stack([active, trusts, first["age"]])
        return np.stack([np.column_stack([shared, table]) for table in own])

    fit = fit_sur(X(BASELINE_COST), chosen.stacked(COST), X(BASELINE_UTILITY), chosen.stacked(QALY))
    assert found[0]["estimate"] == pytest.approx(fit.coef1[:, 0].mean())
    assert found[3]["estimate"] == pytest.approx(fit.coef2[:, 0].mean())
    assert found[1]["p_value"] is None
    assert -1 < found[6]["estimate"] < 1


def test_the_log_link_model_has_means_their_difference_and_their_ratio(rows):
    difference, *means = (
        one(rows[0], model="log-link", **where)
        for where in (
            {"term": "difference"},
            {"term": "adjusted mean", "level": "usual"},
            {"term": "adjusted mean", "level": "new"},
        )
    )
    assert difference["estimate"] == pytest.approx(means[1]["estimate"] - means[0]["estimate"])
    ratio = one(rows[0], model="log-link", term="ratio")
    assert ratio["scale"] == "ratio" and ratio["std_error"] is None
    # With a log link and covariates at their own values, the ratio of the means is that of one: of
    # services, as the intervention (200 for each) is added to the mean of its arm.
    services = means[1]["estimate"] - 200.0
    assert ratio["estimate"] == pytest.approx(services / means[0]["estimate"], rel=1e-3)
    assert "intervention's 200.00 a participant added" in difference["note"]
    assert "power 1.5" in ratio["note"] and "power 1.5" in difference["note"]


def test_observed_data_are_those_complete_on_costs_and_effects(rows):
    for measure in ("cost", "qaly"):
        row = one(
            rows[0],
            model="ancova",
            outcome=measure,
            term="difference",
            population="complete-case",
        )
        assert row["n"] == small_trial.TEAMS * small_trial.SIZE - len([*LOST, BLANK, DEAD])
        assert row["m"] is None


# ------------------------------------------------------------------ ratios


def with_difference(cost: float, qaly: float, noise: float = 1.0):
    """Return the trial with arms that differ by about so much, in whichever precision."""
    tables = small_trial.imputed(small_trial.people())
    active = (tables["arm"] == "new").to_numpy()
    rng = np.random.default_rng(3)
    tables["bed_after"], tables["alive_after"] = 0.0, 1.0
    tables["gp_after"] = 20 + cost / 40 * active + noise * rng.normal(0, 0.5, len(tables))
    tables["u_after"] = 0.5 + 4 * qaly * active + noise * rng.normal(0, 0.02, len(tables))
    source = small(tables=tables, economics={"intervention": None})
    values = evaluated(source, main_setting(source.economics))
    return compared(source.study, source.plan, values, "imputed")


WORDS = {
    (400, 0.05): ("more costly, more effective", "what each QALY gained by New care costs"),
    (400, -0.05): ("more costly, less effective", "New care is dominated: it costs more and"),
    (-400, 0.05): ("less costly, more effective", "New care dominates: it costs no more and"),
    (-400, -0.05): ("less costly, less effective", "cost-saving but less effective: what New"),
}


@pytest.mark.parametrize("differences", WORDS)
def test_a_ratio_stands_only_where_it_means_something(differences):
    [row] = ratio_rows(with_difference(*differences), PER_QALY)
    level, words = WORDS[differences]
    assert row["level"] == level
    assert words in row["note"]
    assert (row["outcome"], row["scale"]) == ("cost per qaly", "pounds per QALY")
    assert (row["model"], row["inference"]) == ("ancova", "fieller")
    if differences[0] * differences[1] > 0:
        assert row["estimate"] == pytest.approx(8000, rel=0.1)
        assert 0 < row["conf_low"] < row["estimate"] < row["conf_high"]
    else:
        assert "estimate" not in row and "conf_low" not in row


def test_limits_of_a_ratio_are_where_net_benefit_is_no_longer_different_from_zero():
    data = with_difference(400, 0.05)
    [row] = ratio_rows(data, PER_QALY)
    pair = pooled_pair(data, PER_QALY)
    for limit in (row["conf_low"], row["conf_high"]):
        weights = np.array([-1.0, limit])
        t = weights @ pair.estimate / np.sqrt(weights @ pair.covariance @ weights)
        assert 2 * stdtr(pair.df, -abs(t)) == pytest.approx(0.05)


@pytest.mark.parametrize("cost", [400, -400])
def test_no_interval_where_that_of_the_effects_includes_zero(cost):
    data = with_difference(cost, 0.002, noise=3.0)
    effect = one(ancova_rows(data, MEASURES[1]), term="difference")
    assert effect["conf_low"] < 0 < effect["conf_high"]
    [row] = ratio_rows(data, PER_QALY)
    assert "conf_low" not in row
    assert row["level"] == quadrant(cost, effect["estimate"])
    has_ratio = cost * effect["estimate"] > 0
    assert ("estimate" in row) == has_ratio
    said = "no interval: that of the difference in effects includes zero" in row["note"]
    assert said == has_ratio


def test_limits_below_zero_are_dominance():
    [row] = ratio_rows(with_difference(2, 0.05), PER_QALY)
    assert row["level"] == QUADRANTS[0]
    assert row["conf_low"] < 0 < row["conf_high"]
    assert "below zero means that New care dominates" in row["note"]


def test_words_at_the_axes_of_the_plane(trial):
    study = trial.study
    assert "undefined" in in_words(study, 100.0, 0.0, PER_QALY)
    assert "dominates" in in_words(study, 0.0, 1.0, PER_QALY)
    assert "at the same cost" in in_words(study, 0.0, -1.0, PER_QALY)
    fewer = Effect("symptoms", "s", "point", -1.0)
    assert "what each point less gained" in in_words(study, 1.0, 1.0, fewer)
    assert [quadrant(*d) for d in WORDS] == [level for level, _ in WORDS.values()]


def test_less_of_an_outcome_can_be_the_better(trial, main):
    frame = main.tables.assign(fewer=-main.tables[QALY])
    changed = type(main)(main.setting, frame, main.adjust, main.note)
    data = compared(trial.study, trial.plan, changed, "imputed", ("fewer",))
    [flipped] = ratio_rows(data, Effect("fewer", "fewer", "point", -1.0))
    [row] = ratio_rows(compared(trial.study, trial.plan, main, "imputed"), PER_QALY)
    assert (flipped["scale"], row["scale"]) == ("pounds per point less", "pounds per QALY")
    assert flipped["level"] == row["level"]
    assert same_number(flipped.get("estimate"), row.get("estimate"))


# ------------------------------------------------------------------ variations


def test_a_variation_that_changes_nothing_is_the_main_evaluation(rows):
    entries = [
        {"id": "same_prices", "label": "Same", "unit_costs": 1.0},
        {"id": "same_share", "label": "Same", "share": "participants"},
        {"id": "same_view", "label": "Same", "perspective": "health", "utility": "u"},
        {"id": "no_delta", "label": "Same", "delta": {"cost": {"new": 0}, "utility": {}}},
    ]
    found = variation_rows(small(economics={"sensitivity": entries}))
    assert {row["role"] for row in found} == {"sensitivity"}
    for entry in entries:
        own = [row for row in found if row["analysis"] == f"economics_{entry['id']}"]
        assert len(own) == 2 + 2 * 2 + 1
        for row in own:
            keys = ("outcome", "model", "inference", "term", "level", "population")
            same = {k: row[k] for k in keys} | {"threshold": row.get("threshold")}
            expected = one([{"threshold": None, **r} for r in rows[0]], **same)
            for key in ("estimate", "std_error", "df", "conf_low"):
                assert same_number(row.get(key), expected.get(key))
            assert row["perspective"] == "health"


def test_perspective_and_prices(trial):
    active = trial.arm() == "new"

    def services(gp=40.0, bed=430.0, days=0.0):
        total = sum(
            price * trial.stacked(f"{s}_after")
            for s, price in {"gp": gp, "bed": bed, "days": days}.items()
        )
        total[:, DEAD] *= DEAD_AT
        return total + 200 * active

    source, found = varied(perspective="society")
    np.testing.assert_allclose(column(source, found, COST), services(days=100))
    source, found = varied(unit_costs=0.5)
    np.testing.assert_allclose(column(source, found, COST), services(20, 215))
    source, found = varied(unit_costs={"bed": 2.0})
    np.testing.assert_allclose(column(source, found, COST), services(40, 860))
    before = 40 * trial.stacked("gp_before") + 860 * trial.stacked("bed_before")
    np.testing.assert_allclose(column(source, found, BASELINE_COST), before)


def test_value_set(trial):
    source, found = varied(utility="v")
    v0, v1 = trial.stacked("v_before"), trial.stacked("v_after")
    living = np.arange(trial.n) != DEAD
    np.testing.assert_allclose(column(source, found, QALY)[:, living], ((v0 + v1) / 4)[:, living])
    np.testing.assert_array_equal(column(source, found, BASELINE_UTILITY), v0)


def test_sharing_rule(trial):
    source, found = varied(share="caseload")
    active = trial.arm() == "new"
    expected = trial.stacked("cost_after") + 72 * active
    np.testing.assert_allclose(column(source, found, COST), expected)


def test_the_cost_of_the_intervention_multiplied(trial):
    source, found = varied(intervention=1.5)
    expected = trial.stacked("cost_after") + 1.5 * 200 * (trial.arm() == "new")
    np.testing.assert_allclose(column(source, found, COST), expected)


def test_winsorising_sets_the_highest_costs_of_a_visit_to_their_quantile(trial):
    source, found = varied(winsorise=0.9)
    own, active = trial.stacked("cost_after"), trial.arm() == "new"
    for k in range(1, M + 1):
        ordered = np.sort(own[k])
        place, part = divmod(0.9 * (len(ordered) - 1), 1)
        below, above = ordered[int(place)], ordered[int(place) + 1]
        expected = np.minimum(own[k], below + part * (above - below)) + 200 * active
        np.testing.assert_allclose(column(source, found, COST)[k], expected)
    before = 40 * trial.stacked("gp_before") + 430 * trial.stacked("bed_before")
    limit = np.quantile(before[0], 0.9)
    np.testing.assert_allclose(column(source, found, BASELINE_COST), np.minimum(before, limit))


def test_actual_dates_of_interviews(trial):
    source, found = varied(times="interviews")
    u0, u1 = trial.stacked("u_before"), trial.stacked("u_after")
    years = (150 + np.arange(trial.n)) / 365.25
    early = np.minimum(years, 0.5)
    at_end = np.where(years > 0.5, u0 + (u1 - u0) * 0.5 / years, u1)
    by_hand = (u0 + at_end) / 2 * early + at_end * (0.5 - early)
    by_hand[:, LOST] = (u0 + u1)[:, LOST] / 4
    by_hand[:, DEAD] = u0[:, DEAD] * DEAD_AT * 0.5 / 2
    np.testing.assert_allclose(column(source, found, QALY), by_hand)


def test_deltas_touch_imputed_values_only_and_not_the_dead(trial, main):
    delta = {"cost": {"new": 500}, "utility": {"new": -0.05, "usual": 2.0}}
    source, found = varied(delta=delta)
    shift = column(source, found, COST) - column(trial, main, COST)
    active = trial.arm() == "new"
    expected = np.zeros(trial.n)
    expected[[*LOST, BLANK]] = 500
    expected[DEAD] = 500 * DEAD_AT
    np.testing.assert_allclose(shift[1:], np.tile(expected * active, (M, 1)), atol=1e-9)
    assert np.nanmax(np.abs(shift[0])) == 0
    shift = column(source, found, QALY) - column(trial, main, QALY)
    touched = np.zeros(trial.n, dtype=bool)
    touched[list(LOST)] = True
    assert np.nanmax(np.abs(shift[0])) == 0
    assert (shift[1:, ~touched] == 0).all()
    np.testing.assert_allclose(shift[1:, touched & active], -0.05 / 4)
    # No utility above full health.
    usual = touched & ~active
    full = (trial.stacked("u_before") + 1)[1:, usual] / 4
    np.testing.assert_allclose(column(source, found, QALY)[1:, usual], full)


def test_a_delta_leaves_no_cost_below_zero(trial):
    source, found = varied(delta={"cost": {"new": -1e6}})
    active = trial.arm() == "new"
    lost = np.zeros(trial.n, dtype=bool)
    lost[list(LOST)] = True
    assert (column(source, found, COST)[1:, lost & active] == 200).all()


def test_complete_cases(rows):
    entry = {"id": "v", "label": "V", "data": "observed"}
    found = variation_rows(small(economics={"sensitivity": [entry]}))
    assert {row["population"] for row in found} == {"complete-case"}
    own = one(found, outcome="cost", term="difference")
    beside = one(
        rows[0], outcome="cost", term="difference", model="ancova", population="complete-case"
    )
    assert own["estimate"] == beside["estimate"]


def test_a_variation_that_fails_leaves_a_row_and_the_others_stand():
    entries = [
        {"id": "over_caseload", "label": "L", "share": "caseload"},
        {"id": "fine", "label": "F", "unit_costs": 2.0},
        {"id": "free", "label": "N", "unit_costs": 0.0},
    ]
    money = small_trial.costs(small_trial.people()).drop(columns="intervention_caseload")
    found = variation_rows(small(economics={"sensitivity": entries}, money=money))
    failed = [row for row in found if row.get("status") == "failed"]
    assert [(row["analysis"], row["outcome"], row["term"]) for row in failed] == [
        ("economics_over_caseload", "cost", "difference"),
        ("economics_free", "cost", "difference"),
        ("economics_free", "cost per qaly", "icer"),
    ]
    assert failed[0]["note"] == "the cost of the intervention could not be shared over caseload"
    assert len([row for row in found if row["analysis"] == "economics_fine"]) == 7
    # Of the free service its cost fails, and nothing else.
    assert len(results_table(found, "synthetic")) == 1 + 7 + 7


AGE_SHARED = "'age' is the same for everyone, and cannot be adjusted for"


def test_a_design_that_only_one_variation_cannot_have_stops_nothing():
    """Complete cases may have a covariate that is the same for all of them."""
    tables = small_trial.imputed(small_trial.people())
    complete = tables.loc[tables["imputation"] == 0].dropna()["participant"]
    tables.loc[tables["participant"].isin(complete), "age"] = 50.0
    entries = [
        {"id": "observed", "label": "O", "data": "observed"},
        {"id": "fine", "label": "F", "unit_costs": 2.0},
    ]
    found = variation_rows(small(economics={"sensitivity": entries}, tables=tables))
    rows = [row for row in found if row["analysis"] == "economics_observed"]
    assert {row["outcome"] for row in rows} == {"cost", "qaly", "net_benefit", "cost per qaly"}
    assert all(row["status"] == "failed" and row["note"] == AGE_SHARED for row in rows)
    fine = [row for row in found if row["analysis"] == "economics_fine"]
    assert len(fine) == 7 and not any(row.get("status") == "failed" for row in fine)


FAULTS = {
    "service": (
        {"unit_costs": {"dentist": 2.0}},
        r"economics\.yaml: sensitivity 'v' names the service 'dentist', which has no price; "
        "expected one of gp, bed, days",
    ),
    "arm": (
        {"delta": {"utility": {"neww": 1}}},
        "sensitivity 'v' names the arm 'neww'; expected one of usual, new",
    ),
    "utility": (
        {"utility": "w"},
        "sensitivity 'v': the utility 'w' is not measured at visit 'before'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_variation_names_and_there_is_not(fault):
    what, sentence = FAULTS[fault]
    with pytest.raises(StudyError, match=sentence):
        varied(**what)


# ------------------------------------------------------------------ other designs


def test_without_clusters_people_are_the_units():
    rows, draws = main_rows(small(study={"clusters": None}), 7200.0)
    models = {(row["model"], row["inference"]) for row in rows}
    assert models == {
        ("ancova", "t"),
        ("ancova", "fieller"),
        ("sur", "t"),
        ("log-link", "hc3"),
        ("net-benefit", "t"),
        ("net-benefit", "normal"),
        ("two-stage-bootstrap", "bootstrap"),
        ("descriptive", "none"),
    }
    assert not [row for row in rows if row.get("status") == "failed"]
    drawn = one(rows, model="two-stage-bootstrap", outcome="cost", term="difference")
    assert "200 draws of people within arms" in drawn["note"]
    assert len(draws.cost) == 200


def test_without_baseline_costs_there_is_no_adjustment_for_them():
    source = small(price_table=small_trial.prices(("after",)))
    found = evaluated(source, main_setting(source.economics))
    assert found.adjust == [BASELINE_UTILITY, "age"]
    rows = main_rows(source, 7200.0)[0]
    assert not [row for row in rows if row.get("status") == "failed"]
    shown = [row for row in rows if row["outcome"] == "cost" and row["model"] == "descriptive"]
    assert {row["visit"] for row in shown} == {"after"}
    for where in (
        {"outcome": "cost", "model": "ancova"},
        {"outcome": "cost", "model": "team-means", "inference": "paired-t"},
        {"outcome": "net_benefit", "model": "team-means"},
        {"outcome": "net_benefit", "model": "net-benefit"},
    ):
        own = [r for r in rows if r["term"] == "difference" and where.items() <= r.items()]
        assert own and all("no adjustment for baseline costs" in row["note"] for row in own)
    means = source.stacked("cost_after")[1:].mean(axis=0) + 200 * (source.arm() == "new")
    by_team = pd.Series(means).groupby(source.tables["team"][: source.n]).mean()
    by_hand = (by_team.to_numpy()[1::2] - by_team.to_numpy()[::2]).mean()
    row = one(
        rows,
        outcome="cost",
        model="team-means",
        inference="paired-t",
        term="difference",
        population="all-with-baseline",
    )
    assert row["estimate"] == pytest.approx(by_hand)


def test_a_model_that_fails_leaves_one_row_that_says_why():
    tables = small_trial.imputed(small_trial.people())
    tables.loc[(tables["team"] == "T3") & (tables["imputation"] == 0), "gp_after"] = np.nan
    rows = main_rows(small(tables=tables), 7200.0)[0]
    failed = [row for row in rows if row.get("status") == "failed"]
    assert [(r["outcome"], r["model"], r["population"]) for r in failed] == [
        ("cost", "team-means", "complete-case"),
        ("qaly", "team-means", "complete-case"),
    ]
    assert failed[0]["note"] == "Every pair must be two teams, one in each arm"


def test_where_the_arms_cannot_be_compared_every_model_says_so():
    complete = small_trial.people().iloc[: 2 * small_trial.SIZE]
    tables = small_trial.imputed(small_trial.people())
    tables = tables[tables["participant"].isin(complete["participant"])]
    rows, draws = main_rows(small(tables=tables), 7200.0)
    failed = [row for row in rows if row.get("status") == "failed"]
    assert {(r["outcome"], r["model"], r["term"]) for r in failed} == {
        *((o, m, "difference") for o in ("cost", "qaly") for m in ("ancova", "team-means")),
        ("cost and qaly", "sur", "difference"),
        ("cost", "log-link", "difference"),
        ("net_benefit", "net-benefit", "difference"),
        ("net_benefit", "team-means", "difference"),
        ("cost per qaly", "ancova", "icer"),
        ("cost and qaly", "ancova", "difference without one person"),
        ("cost and qaly", "ancova", "standard error"),
        ("cost and qaly", "two-stage-bootstrap", "difference"),
    }
    assert all("has a single team" in row["note"] for row in failed)
    assert {row["model"] for row in rows if row not in failed} == {"descriptive"}
    assert draws is None


# ------------------------------------------------------------------ use, means, draws


def test_use_is_observed_and_its_cost_imputed(trial, rows):
    found = rows[0]
    active = trial.arm() == "new"
    seen = trial.stacked("gp_after")[0][active]
    seen = seen[~np.isnan(seen)]
    at = {"outcome": "gp", "visit": "after", "level": "new"}
    row = one(found, **at, term="mean use")
    assert row["estimate"] == pytest.approx(seen.mean())
    assert (row["n"], row["scale"], row["population"]) == (
        len(seen),
        "contact",
        "observed-follow-ups",
    )
    spread = one(found, **at, term="standard deviation of use")
    assert spread["estimate"] == pytest.approx(seen.std(ddof=1))
    assert one(found, **at, term="users")["estimate"] == pytest.approx((seen > 0).mean())
    assert one(found, **(at | {"outcome": "days"}), term="mean use")["perspective"] == "society"
    parts = [
        one(found, **(at | {"outcome": name}), term="mean cost")["estimate"]
        for name in ("gp", "bed", "intervention")
    ]
    assert parts[2] == pytest.approx(200)
    whole = one(found, outcome="cost", level="new", term="mean", m=M, visit="after")
    assert sum(parts) == pytest.approx(whole["estimate"])


def test_unadjusted_means_and_standard_deviations(trial, main, rows):
    usual = trial.arm() == "usual"
    for outcome, visit, values in (
        ("cost", "after", column(trial, main, COST)),
        ("cost", "before", column(trial, main, BASELINE_COST)),
        ("qaly", "after", column(trial, main, QALY)),
        ("u", "before", trial.stacked("u_before")),
        ("u", "after", trial.stacked("u_after")),
    ):
        at = {"outcome": outcome, "visit": visit, "level": "usual", "model": "descriptive"}
        imputed = at | {"population": "all-with-baseline"}
        inside = values[1:, usual]
        assert one(rows[0], **imputed, term="mean")["estimate"] == pytest.approx(inside.mean())
        spread = np.sqrt(inside.var(axis=1, ddof=1).mean())
        row = one(rows[0], **imputed, term="standard deviation")
        assert row["estimate"] == pytest.approx(spread)
        complete = np.isfinite(column(trial, main, COST)[0] + column(trial, main, QALY)[0])
        row = one(rows[0], **at, population="complete-case", term="mean")
        assert row["estimate"] == pytest.approx(values[0, usual & complete].mean())
        assert row["n"] == (usual & complete).sum()


def test_what_the_draws_say(rows):
    found, draws = rows
    boot = [row for row in found if row["model"] == "two-stage-bootstrap"]
    assert {row["inference"] for row in boot} == {"bootstrap"}
    shares = [row for row in boot if row["term"] == "quadrant share"]
    assert [row["level"] for row in shares] == list(QUADRANTS)
    assert sum(row["estimate"] for row in shares) == pytest.approx(1)
    share = ((draws.cost > 0) & (draws.effect <= 0)).mean()
    assert one(boot, level="more costly, less effective")["estimate"] == pytest.approx(share)
    row = one(boot, outcome="cost", term="difference")
    assert row["estimate"] == pytest.approx(draws.cost.mean())
    assert row["conf_low"] == pytest.approx(np.quantile(draws.cost, 0.025))
    assert "p_value" not in row
    for worth in (0, 10000, 20000, 30000):
        row = one(boot, threshold=worth, term="probability cost-effective")
        assert row["estimate"] == pytest.approx((worth * draws.effect > draws.cost).mean())
    gains = [r for r in boot if (r["outcome"], r["term"]) == ("net_benefit", "difference")]
    assert {r["threshold"] for r in gains} == {20000, 30000}
    assert "200 draws of Trusts" in row["note"]
    assert "4 Trusts can be drawn in 35 ways only" in row["note"]


def test_the_note_of_the_draws_counts_the_pairs_analysed(data):
    draws = Draws(np.zeros(199), np.zeros(199), np.eye(2), 1)
    assert "4 Trusts can be drawn in 35 ways only" in about(data, draws)
    assert about(data, draws).endswith("; 1 draw had no estimate")
    assert about(data, replace(draws, failed=2)).endswith("; 2 draws had no estimate")

    def of(trusts: np.ndarray) -> str:
        frame = data.chosen.frame.assign(trust=np.resize(trusts, len(data.chosen.frame)))
        return about(replace(data, chosen=replace(data.chosen, frame=frame)), draws)

    assert "3 Trusts can be drawn in 10 ways only" in of(np.arange(3))
    assert "ways only" not in of(np.arange(10))
    assert "of how few they are" not in of(np.arange(10))


def test_draws_centre_on_the_adjusted_differences(rows):
    for outcome in ("cost", "qaly"):
        where = {"outcome": outcome, "term": "difference"}
        boot = one(rows[0], model="two-stage-bootstrap", **where)
        adjusted = one(rows[0], model="ancova", population="all-with-baseline", **where)
        assert abs(boot["estimate"] - adjusted["estimate"]) < 0.5 * adjusted["std_error"]


def test_the_tables_of_imputations_must_have_the_same_people():
    tables = small_trial.imputed(small_trial.people())
    with pytest.raises(ValueError, match="the imputations differ in their people"):
        small(tables=tables.drop(index=tables.index[-1]))


def test_every_row_has_a_key_of_its_own(rows):
    shared = {"analysis": "economics", "role": "supporting", "visit": "after", "perspective": "h"}
    table = results_table([{**shared, **row} for row in rows[0]], "synthetic")
    assert len(table) == len(rows[0])
    assert set(table["status"]) == {"ok"}


# ------------------------------------------------------------------ the study


def test_the_evaluation_of_the_study(ccp_done):
    table = pd.read_parquet(ccp_done / "data/derived/results/economics.parquet")
    main = table[table["analysis"] == "economics"]
    assert (main["status"] == "ok").all()
    assert set(main["visit"]) == {"baseline", "month6"}
    assert set(main["perspective"]) == {"nhs_pss", "societal"}
    assert (table["status"] == "ok").all()
    departed = ["economics_departures", "economics_reference_based"]
    assert table["analysis"].isin(departed).sum() == 2 * (5 * 6 + 5 + 4)
    varied = table[~table["analysis"].isin(["economics", *departed])]
    assert varied["analysis"].nunique() == 21
    assert (varied.groupby("analysis").size() == 7).all()
    assert set(varied["role"]) == {"sensitivity"}
    assert set(table.loc[table["term"] == "icer", "outcome"]) == {
        "cost per qaly",
        "cost per social_capital",
    }
    draws = pd.read_parquet(ccp_done / "data/derived/figure_data/economics.parquet")
    taken = [f"{name}_intervention_minus_control" for name in ("cost", "qaly")]
    assert draws.columns.tolist() == ["draw", *taken]


def test_the_costs_of_the_main_evaluation_are_those_imputed(ccp_done, monkeypatch):
    monkeypatch.chdir(ccp_done.path)
    read = [
        pd.read_parquet(f"data/derived/{name}.parquet")
        for name in ("imputed", "prices", "costs", "participants")
    ]
    found = source(load_study(), load_plan(), load_economics(), *read)
    setting = main_setting(found.economics)
    for visit in ("baseline", "month6"):
        own = visit_costs(found, setting, visit, False)
        np.testing.assert_allclose(own, found.stacked(f"cost_{visit}"))


def test_faults_of_cost_per(copy_of_ccp):
    copy_of_ccp.change("config/economics.yaml", "[social_capital]", "[kindness]")
    sentence = (
        r"economics\.yaml, line \d+: cost_per names 'kindness', which is not among the outcomes"
    )
    with pytest.raises(StudyError, match=sentence):
        copy_of_ccp.evaluate()
    copy_of_ccp.change("config/economics.yaml", "[kindness]", "[eq_vas]")
    copy_of_ccp.change(
        "config/analysis.yaml", "label: EQ-5D visual analogue scale, benefit: higher", "label: VAS"
    )
    with pytest.raises(StudyError, match="'eq_vas', whose benefit .* does not say"):
        copy_of_ccp.evaluate()
    path = copy_of_ccp / "data/derived/imputed.parquet"
    files.write_parquet(path, pd.read_parquet(path).drop(columns="eq_vas_month6"))
    with pytest.raises(StudyError, match="'eq_vas'; expected a number measured at visit 'month6'"):
        copy_of_ccp.evaluate()


def test_faults_of_the_evaluation(copy_of_ccp):
    copy_of_ccp.change("config/economics.yaml", "utility: utility ", "utility: happiness ")
    with pytest.raises(StudyError, match="the utility 'happiness' is not measured at visit 'base"):
        copy_of_ccp.evaluate()
    copy_of_ccp.change("config/economics.yaml", "months: 6", "months: 3")
    with pytest.raises(StudyError, match="the horizon is 3 months"):
        copy_of_ccp.evaluate()
    (copy_of_ccp / "config/economics.yaml").unlink()
    with pytest.raises(StudyError, match="there is nothing to evaluate"):
        copy_of_ccp.evaluate()
