"""What is known of the dead tells nothing of the living; what they cost while they lived."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ccp_analysis import files

PEOPLE, IMPUTED = "data/derived/participants.parquet", "data/derived/imputed.parquet"
PLAN = "config/analysis.yaml"
UTILITIES = ["utility_month6", "utility_3l_month6"]


def impute(folder, dead: int, known: bool = True, share: float = 0.25) -> pd.DataFrame:
    """Let people who were lost have died, or be lost like others; return tables, the dead marked.

    They lived that share of the time to the second interview.
    """
    people = pd.read_parquet(folder / PEOPLE)
    lost = people.index[people["interviewed_baseline"] & ~people["interviewed_month6"]]
    people.loc[lost, UTILITIES] = np.nan
    lost = lost[:dead]
    people["alive_month6"] = 1.0
    people.loc[lost, "left"] = "death"
    if known:
        people.loc[lost, [*UTILITIES, "alive_month6"]] = [0.0, 0.0, share]
    files.write_parquet(folder / PEOPLE, people)
    folder.cost()
    folder.impute()
    tables = pd.read_parquet(folder / IMPUTED)
    return tables.assign(dead=tables["participant"].isin(people.loc[lost, "participant"]))


@pytest.mark.parametrize("level", ["score", "items"])
def test_the_living_are_imputed_as_if_the_dead_were_only_lost(copy_of_ccp, level):
    copy_of_ccp.change(PLAN, "methods: {}", f"methods: {{}}\n  level: {{utility: {level}}}")
    unknown, tables = (impute(copy_of_ccp, 10, known) for known in (False, True))
    gone = tables["dead"]
    decided = [*UTILITIES, "alive_month6", "cost_month6"]
    pd.testing.assert_frame_equal(tables[~gone], unknown[~gone], check_exact=True)
    pd.testing.assert_frame_equal(
        tables[gone].drop(columns=decided), unknown[gone].drop(columns=decided), check_exact=True
    )
    assert (tables.loc[gone, UTILITIES] == 0.0).all(axis=None)
    assert (tables.loc[gone, "alive_month6"] == 0.25).all()
    later = gone & (tables["imputation"] > 0)
    costs = (of.loc[later, "cost_month6"] for of in (tables, unknown))
    np.testing.assert_allclose(next(costs), 0.25 * next(costs), rtol=1e-12)
    # No zero of the dead is given to the living, and a zero is no value to be imputed.
    assert not (tables.loc[~gone, "utility_month6"] == 0.0).any()
    models = pd.read_csv(copy_of_ccp / "data/derived/imputation_models.csv")
    own = models[models["variable"] == "utility_month6"]
    observed = tables.loc[tables["imputation"] == 0, "utility_month6"]
    assert set(own["missing"]) == {observed.isna().sum()} and set(own["never"]) == {0}


@pytest.mark.parametrize(("share", "stays"), [(0.4, False), (0.0, True)])
def test_the_dead_used_services_while_they_lived(copy_of_ccp, share, stays):
    """And what they would have said is not imputed where the plan says so."""
    more = "\n  derived: {gain: utility_month6 - utility_baseline}"
    more += "\n  not_after: [death]" if stays else ""
    copy_of_ccp.change(PLAN, "methods: {}", f"methods: {{}}{more}")
    tables = impute(copy_of_ccp, 6, share=share)
    tables = tables[tables["imputation"] > 0]
    dead, others = (tables[tables["dead"] == gone] for gone in (True, False))
    assert len(dead) == 12 and (dead["alive_month6"] == share).all()
    assert (dead["utility_month6"] == 0).all() and (others["alive_month6"] == 1).all()
    assert dead["su_care_coordinator_month6"].gt(0).any()
    prices = pd.read_parquet(copy_of_ccp / "data/derived/prices.parquet")
    prices = prices[(prices["visit"] == "month6") & prices["in_nhs_pss"]].set_index("variable")
    expected = (dead[prices.index] * prices["price"]).sum(axis=1) * share
    np.testing.assert_allclose(dead["cost_month6"], expected, rtol=1e-12)
    assert (dead["cost_month6"] > 0).any() == (share > 0)
    # What follows from the utility of the dead follows from the zero.
    np.testing.assert_allclose(dead["gain"], -dead["utility_baseline"], atol=1e-12)
    later = [f"{name}_month6" for name in ("social_capital", "recovery", "wellbeing", "eq_vas")]
    assert dead[later].isna().all(axis=None) == dead[later].isna().any(axis=None) == stays
    people = pd.read_parquet(copy_of_ccp / PEOPLE).set_index("participant")["left"]
    ended = tables["participant"].map(people) == "death"  # of the study's own too
    assert tables[~ended].notna().all(axis=None)
    models = pd.read_csv(copy_of_ccp / "data/derived/imputation_models.csv")
    never = models.groupby("variable")["never"].first()
    assert never["recovery_month6"] == (ended.sum() / 2 if stays else 0)
    assert never["goal_attainment_baseline"] == 0
