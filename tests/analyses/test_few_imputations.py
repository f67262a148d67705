"""A pooled row says so where there are too few imputations."""

from __future__ import annotations

import numpy as np
import pytest
from trial import ask, pick, study, tables

from ccp_analysis.analyses.comparison import compare
from ccp_analysis.analyses.rows import complete, pooled_rows
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.pooling import imputations_needed, pool
from ccp_analysis.report.source import TOO_FEW

SENTENCE = "would bring the Monte Carlo error of the standard error to 5%"


class Completed:
    """What the rows of a fit ask of a sample."""

    population, people, imputed, first = "all-with-baseline", 20, True, None
    pooling = "barnard-rubin"

    def __init__(self, m: int) -> None:
        self.m = m


def judged(share: float, m: int, df: float = np.inf, note: str | None = None) -> dict:
    """Pool estimates of which a share of the variance lies between the imputations."""
    spread = np.linspace(-1.0, 1.0, m)
    spread *= np.sqrt(share / (1 - share) / ((1 + 1 / m) * spread.var(ddof=1))) if share else 0.0
    found = Inference(spread[:, None], np.ones((m, 1)), np.full((m, 1), df))
    np.testing.assert_allclose(pool(spread, np.ones(m), df).riv, share / (1 - share), atol=1e-12)
    [row] = pooled_rows(Completed(m), found, 0.95)
    plain = study(clusters=None)
    return complete([{**row, "note": note}], plain, Completed(m), ask(), "ancova", "t")[0]


@pytest.mark.parametrize("df", [np.inf, 30.0, 4.0])
@pytest.mark.parametrize(("share", "m"), [(0.5, 50), (0.6, 80), (0.2, 5)])
def test_the_number_is_that_of_the_share_between_imputations(share, m, df):
    row = judged(share, m, df)
    needed = imputations_needed(share, m=m)
    assert needed > m
    assert row["note"] == f"{m} imputations were made, {needed:.0f} {SENTENCE}"


@pytest.mark.parametrize(("share", "m"), [(0.0, 2), (0.1, 50), (0.39, 50), (0.5, 200)])
def test_enough_imputations_need_no_remark(share, m):
    assert judged(share, m, df=4.0)["note"] is None


def test_few_clusters_are_no_reason_for_more_imputations():
    """The fraction of missing information has a term for the degrees of freedom beside."""
    row = judged(0.1, 50, df=2.5)
    assert row["fmi"] > 0.4 and imputations_needed(row["fmi"], m=50) > 50
    assert row["note"] is None


def test_it_stands_behind_what_the_row_says_already():
    assert judged(0.5, 50, note="one thing")["note"].startswith("one thing; 50 imputations were")


def test_rows_of_a_model_say_so_as_the_report_expects():
    data = tables()
    apart = (data["arm"] == "intervention") & (data["imputation"] == 2)
    data.loc[apart, "y_after"] += 5.0
    row = pick(compare("ancova", study(), data, "imputed", ask()), "difference")
    assert row["note"].startswith("0.11 degrees of freedom are left by pooling: the interval says")
    assert "; assumes that" in row["note"] and SENTENCE in row["note"]
    assert TOO_FEW.search(row["note"])
    assert SENTENCE not in TOO_FEW.sub("", row["note"])
    observed = pick(compare("ancova", study(), data, "observed", ask()), "difference")
    assert SENTENCE not in observed["note"]
