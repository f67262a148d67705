"""The economic evaluation of a small trial: ratios in words, draws, other designs, failures.

Its numbers are those of R (`test_evaluation_against_r.py`); here is what R's extract does not have.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import small_trial
from small_trial import DEAD, M, one, small

from ccp_analysis import files
from ccp_analysis.economics.bootstrap import Draws
from ccp_analysis.economics.compared import MEASURES, compared
from ccp_analysis.economics.estimation import ancova_rows
from ccp_analysis.economics.outcomes import (
    BASELINE_UTILITY,
    COST,
    QALY,
    evaluated,
)
from ccp_analysis.economics.ratios import (
    QUADRANTS,
    Effect,
    in_words,
    quadrant,
    ratio_rows,
)
from ccp_analysis.economics.setting import main_setting, setting_of
from ccp_analysis.economics.stage import main_rows
from ccp_analysis.economics.uncertainty import about
from ccp_analysis.economics.variations import PER_QALY, variation_rows
from ccp_analysis.errors import StudyError
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


def test_whoever_died_before_the_period_costs_nothing_in_it():
    tables = small_trial.imputed(small_trial.people())
    gone = tables["participant"] == "P030"
    tables.loc[gone, "alive_after"] = 0.0
    tables.loc[gone, small_trial.FOLLOW_UP] = np.nan
    source = small(tables=tables)
    found = evaluated(source, main_setting(source.economics))
    assert (column(source, found, COST)[:, DEAD] == 200).all()  # the intervention
    assert (column(source, found, QALY)[:, DEAD] == 0).all()


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


def test_the_cost_of_the_intervention_multiplied(trial):
    source, found = varied(intervention=1.5)
    expected = trial.stacked("cost_after") + 1.5 * 200 * (trial.arm() == "new")
    np.testing.assert_allclose(column(source, found, COST), expected)


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


# What a variation names, and what is said of it.
FAULTS = [
    (
        {"unit_costs": {"dentist": 2.0}},
        r"economics\.yaml: sensitivity 'v' names the service 'dentist', which has no price; "
        "expected one of gp, bed, days",
    ),
    ({"delta": {"utility": {"neww": 1}}}, "names the arm 'neww'; expected one of usual, new"),
    ({"utility": "w"}, "sensitivity 'v': the utility 'w' is not measured at visit 'before'"),
]


@pytest.mark.parametrize(("what", "sentence"), FAULTS)
def test_what_a_variation_names_and_there_is_not(what, sentence):
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


def test_what_the_draws_say(rows):
    found, draws = rows
    boot = [row for row in found if row["model"] == "two-stage-bootstrap"]
    assert {row["inference"] for row in boot} == {"bootstrap"}
    shares = [row for row in boot if row["term"] == "quadrant share"]
    assert [row["level"] for row in shares] == list(QUADRANTS)
    assert sum(row["estimate"] for row in shares) == pytest.approx(1)
    share = ((draws.cost > 0) & (draws.effect <= 0)).mean()
    assert one(boot, level="more costly, less effective")["estimate"] == pytest.approx(share)
    for outcome, drawn in (("cost", draws.cost), ("qaly", draws.effect)):
        row = one(boot, outcome=outcome, term="difference")
        assert row["estimate"] == pytest.approx(drawn.mean())
        assert row["conf_low"] == pytest.approx(np.quantile(drawn, 0.025))
        assert "p_value" not in row
        where = {"model": "ancova", "population": "all-with-baseline", "term": "difference"}
        adjusted = one(found, outcome=outcome, **where)
        assert abs(row["estimate"] - adjusted["estimate"]) < 0.5 * adjusted["std_error"]
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


def test_the_tables_of_imputations_must_have_the_same_people():
    tables = small_trial.imputed(small_trial.people())
    with pytest.raises(ValueError, match="the imputations differ in their people"):
        small(tables=tables.drop(index=tables.index[-1]))


# ------------------------------------------------------------------ the study


def test_faults_of_cost_per(copy_of_ccp):
    sentence = r"economics\.yaml, line \d+: cost_per names 'kindness', which is not among the outc"
    copy_of_ccp.change("config/economics.yaml", "[social_capital]", "[kindness]")
    with pytest.raises(StudyError, match=sentence):
        copy_of_ccp.evaluate()
    vas = "label: EQ-5D visual analogue scale, benefit: higher"
    copy_of_ccp.change("config/economics.yaml", "[kindness]", "[eq_vas]")
    copy_of_ccp.change("config/analysis.yaml", vas, "label: VAS")
    with pytest.raises(StudyError, match="'eq_vas', whose benefit .* does not say"):
        copy_of_ccp.evaluate()
    path = copy_of_ccp / "data/derived/imputed.parquet"
    files.write_parquet(path, pd.read_parquet(path).drop(columns="eq_vas_month6"))
    with pytest.raises(StudyError, match="'eq_vas'; expected a number measured at visit 'month6'"):
        copy_of_ccp.evaluate()


def test_faults_of_the_evaluation(copy_of_ccp):
    for old, new, sentence in (
        (
            "utility: utility ",
            "utility: happiness ",
            "utility 'happiness' is not measured at visit",
        ),
        ("months: 6", "months: 3", "the horizon is 3 months"),
    ):
        copy_of_ccp.change("config/economics.yaml", old, new)
        with pytest.raises(StudyError, match=sentence):
            copy_of_ccp.evaluate()
    (copy_of_ccp / "config/economics.yaml").unlink()
    with pytest.raises(StudyError, match="there is nothing to evaluate"):
        copy_of_ccp.evaluate()
