"""Weighted comparisons: what they balance, and what stands in their way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from trial import ask, pick

from ccp_analysis.analyses.comparison import attempt, compare
from ccp_analysis.config.confounding import Confounding
from ccp_analysis.errors import StudyError
from ccp_analysis.models.weighted import fit_weighted, weighted_cluster_robust
from ccp_analysis.models.weighting import overlap_weights

MODELS = ("ancova-overlap", "ancova-entropy")


def asked(**more):
    given = {"covariates": ["age", "female"]} | more
    return ask(confounding=Confounding(**given), pooling="averaged")


def test_overlap_is_the_weighted_ancova_of_the_core(study, tables):
    rows = compare("ancova-overlap", study, tables, "observed", asked())
    one = tables[tables["imputation"] == 0].sort_values("participant")
    arm = (one["arm"] == "intervention").to_numpy(dtype=int)
    pair, team = (pd.factorize(one[c])[0] for c in ("trust", "team"))
    Z = one[["y_before", "age", "female"]].to_numpy(dtype=float)
    weights = overlap_weights(Z, arm, pair).weights
    trusts = (pair[:, None] == np.arange(1, pair.max() + 1)).astype(float)
    X = np.column_stack([np.ones(len(one)), arm, Z, trusts])
    fit = fit_weighted(X, one["y_after"].to_numpy(), weights)
    expected = weighted_cluster_robust(fit, team, np.eye(X.shape[1])[1:2])
    row = pick(rows, "difference")
    np.testing.assert_allclose(row["estimate"], expected.estimate[0], rtol=1e-9)
    np.testing.assert_allclose(row["std_error"], expected.std_error[0], rtol=1e-9)
    np.testing.assert_allclose(row["df"], expected.df[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("model", "whose"),
    [("ancova-overlap", "overlap population"), ("ancova-entropy", "participants")],
)
def test_a_row_says_of_whom_it_is_the_average_and_what_weights_leave(study, tables, model, whose):
    rows = compare(model, study, tables, "imputed", asked())
    row = pick(rows, "difference")
    assert (row["average"], row["pooling"]) == (whose, "averaged")
    assert "weights worth" in row["note"]
    arms = {r["level"]: r["estimate"] for r in rows if r["term"] == "effective sample size"}
    people = tables[tables["imputation"] == 0].groupby("arm").size()
    for arm in ("control", "intervention"):
        assert 0 < arms[arm] <= people[arm]
        share = pick(rows, "largest share of weight", level=arm)["estimate"]
        assert 1 / people[arm] <= share < 0.2
    assert len(arms) == 2 + tables["team"].nunique()


def refused(study, tables, model="ancova-overlap", **more):
    [row] = attempt("w", "sensitivity", model, study, tables, "imputed", asked(**more))
    assert row.get("estimate") is None
    return row["status"], row["note"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda t: (t["arm"] == "intervention") * 50.0 + t["age"], "'odd'"),
        (lambda t: 3.0, "nobody differs in 'odd'"),
        (lambda t: ((t["arm"] == "control") & (t["index"] % 7 == 0)).astype(float), "'odd'"),
        (lambda t: t["age"] * 2.0 + 1.0, "'odd'"),
    ],
    ids=["separates", "constant", "a level of one arm", "follows from another"],
)
def test_a_covariate_in_the_way_is_named(study, tables, model, made, said):
    tables = tables.assign(odd=made(tables))
    status, note = refused(study, tables, model, covariates=["age", "female", "odd"])
    assert status in ("refused", "failed")
    assert said in note.lower()


def test_weights_that_cannot_be_had_are_refused(study, tables):
    gone = tables.groupby("trust")["team"].transform("max") == tables["team"]
    few = tables[~(gone & (tables["trust"] == tables["trust"].min()))]
    for given, said in (
        (refused(study, few), "only one arm has people in pair"),
        (refused(study, tables, "ancova-entropy", largest_share=0.02), "more than the limit of 2%"),
        (refused(study, tables, people_per_column=60), "ask for 180 people in the smaller arm"),
    ):
        status, note = given
        assert status == "refused" and said in note


def test_weights_need_to_be_told_what_to_balance(study, tables):
    with pytest.raises(StudyError, match="confounding.covariates"):
        compare("ancova-overlap", study, tables, "imputed", ask())
