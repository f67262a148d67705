"""Check: what a model of the plan assumes, and whom its result hangs on.

The base of every check is what was observed: the complete cases of the model, not its imputations,
which obey the imputation model's assumptions by construction. A row is flagged where a departure
was found; where none was found, with few clusters this is no proof that there is none. The rates of
false flags beside the constants, here and in `influence`, were measured in 2,000 draws each at
intraclass correlations of 0, 0.05 and 0.1 of a design like that of the Connecting People study (127
people, ten teams in five pairs), nothing being violated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.stats import shapiro

from ccp_analysis import files
from ccp_analysis.analyses import influence
from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.check_figures import Points, figure_table, points_of
from ccp_analysis.analyses.checked import (
    Checked,
    Row,
    Rows,
    failed_row,
    fit_checked,
    tested_row,
    verdict,
)
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.instruments import load_instruments, unit_of
from ccp_analysis.config.models import CHECKED
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import PLAN
from ccp_analysis.models.diagnostics import spline_terms, spread_slope, variance_ratio
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Inference, Role, Status, Term

log = logging.getLogger(__name__)

# Shapiro-Wilk: with more than a hundred people small departures, which do not matter, have small
# p-values. False flags: .01.
NORMALITY_LEVEL = 0.01
# Variance, slopes and curvature. False flags: .03 to .06 each.
TEST_LEVEL = 0.05
# Fewer denominator degrees of freedom are not worth a joint test of two terms.
LOWEST_DF = 2.0


def run(*, analysis: str, imputed: Path, results: Path, figures: Path) -> None:
    """Check the assumptions of one analysis of the plan, for each of its outcomes.

    Parameters
    ----------
    analysis : str
        Its id in ``config/analysis.yaml``.
    imputed : Path
        Its imputation 0 has what was observed.
    results : Path
        Parquet file to write: rows of the results table, analysis ``checks_`` and the id.
    figures : Path
        Parquet file to write: points of the figures, as `check_figures.points_of` describes them.

    Raises
    ------
    StudyError
        If the plan asks for what the study does not have, or for checks of another model than an
        ancova or a mixed model at one visit.
    """
    study, plan, instruments = load_study(), load_plan(), load_instruments()
    dictionary, entry = load_dictionary(study), plan.analysis(analysis)
    if entry.model not in CHECKED or entry.visit is None:
        raise StudyError(
            f"{PLAN}: checks: analysis '{analysis}' is a model of the kind '{entry.model}'; "
            f"expected one of the kind {' or '.join(CHECKED)}."
        )
    visit, tables = study.visit(entry.visit).id, files.read_parquet(imputed)
    rows: Rows = []
    points: Points = []
    for outcome in plan.outcomes_of(entry):
        shared: Row = {
            "analysis": f"checks_{analysis}",
            "role": Role.DESCRIPTIVE,
            "outcome": outcome.id,
            "visit": visit,
            "estimand": plan.estimand_of(analysis),
            "model": entry.model,
        }
        try:
            checked = fit_checked(
                study,
                tables,
                entry.model,
                f"{outcome.id}_{visit}",
                f"{outcome.id}_{study.baseline.id}",
                plan.covariates,
                plan.confidence_level,
            )
            points += [{**p, "outcome": outcome.id} for p in points_of(checked)]
            found = check(checked, unit_of(outcome.id, instruments, dictionary))
        except ValueError as error:
            found = [failed_row(Term.ALL_CHECKS, error)]
        rows += [{**shared, **row} for row in found]
    table = results_table(rows, study.data_status)
    files.write_parquet(results, table)
    files.write_parquet(figures, figure_table(points, analysis, study.data_status))
    log.info(
        "%s: %d flagged of %d", analysis, (table["status"] == Status.FLAGGED).sum(), len(table)
    )


def check(checked: Checked, scale: str) -> Rows:
    """Make every check of one fitted model.

    Parameters
    ----------
    checked : Checked
        The model, from `fit_checked`.
    scale : str
        Unit of the outcome.

    Returns
    -------
    list of dict
        Rows of the results table, status ok or flagged; a check that cannot be made leaves a row
        with the status failed and the reason.
    """
    chosen = {**EVERYWHERE, **(WITH_CLUSTERS if checked.study.clusters else {})}
    rows: Rows = []
    for term, one in chosen.items():
        try:
            rows += one(checked, scale)
        except ValueError as error:
            rows.append(failed_row(term, error))
    clusters = checked.clusters
    shared = {
        "scale": scale,
        "population": checked.sample.population,
        "inference": checked.inference,
        "n": checked.n,
        "n_clusters": None if clusters is None else int(clusters.max()) + 1,
    }
    return [{**shared, **row} for row in rows]


def _normality(checked: Checked, _: str) -> Rows:
    """Shapiro & Wilk (1965) on the standardised residuals."""
    found = shapiro(checked.residuals.standardised)
    p = float(found.pvalue)
    notes = (
        "no departure of the residuals from a normal distribution was found",
        "the residuals are not normal: a difference of means stands this with so many people "
        "unless a few of them carry it, which the figure shows",
    )
    row = {"term": Term.NORMALITY, "statistic": float(found.statistic), "p_value": p}
    row |= {"scale": "none", "inference": Inference.SHAPIRO_WILK}
    return [row | verdict(p < NORMALITY_LEVEL, notes)]


def _heteroscedasticity(checked: Checked, _: str) -> Rows:
    inference = spread_slope(checked.residuals, checked.arm, checked.clusters)
    row = tested_row(Term.HETEROSCEDASTICITY, inference, checked.level)
    change = f"{row['estimate']:+.0%} for one standard deviation of the fitted values"
    notes = (
        "no change of the spread of the residuals along the fitted values was found",
        f"the spread of the residuals changes along the fitted values ({change}): standard errors "
        "that assume it constant are not to be trusted, robust ones are",
    )
    row |= {"scale": "proportion", "inference": _robust_name(checked)}
    return [row | verdict(row["p_value"] < TEST_LEVEL, notes)]


def _variance_ratio(checked: Checked, _: str) -> Rows:
    inference = variance_ratio(checked.residuals, checked.arm, checked.clusters)
    row = tested_row(Term.VARIANCE_RATIO, inference, checked.level)
    row |= {name: float(np.exp(row[name])) for name in ("estimate", "conf_low", "conf_high")}
    notes = (
        "no difference between the residual variances of the arms was found",
        f"the residual variance of one arm is {row['estimate']:.2g} times that of the other: "
        "standard errors that assume them equal are not to be trusted, robust ones are",
    )
    arms = checked.study.arms
    row |= {"scale": "ratio", "level": f"{arms.active} / {arms.reference}"}
    # The standard error is that of the logarithm, on which the test is made.
    row |= {"inference": _robust_name(checked).on_log_scale}
    return [row | verdict(row["p_value"] < TEST_LEVEL, notes)]


def _slopes(checked: Checked, _: str) -> Rows:
    product = checked.arm * checked.X[:, checked.baseline]
    row = tested_row(Term.SLOPES, checked.infer_last(product), checked.level)
    arms = checked.study.arms
    notes = (
        "no difference between the slopes on the baseline in the two arms was found",
        "the slopes on the baseline appear to differ between the arms: if they do, the difference "
        "depends on the baseline, and the one reported is that at its mean",
    )
    row |= {"scale": "slope", "level": f"{arms.active} - {arms.reference}"}
    flagged = row["p_value"] < TEST_LEVEL
    return [row | verdict(flagged, notes), *(_along(checked) if flagged else ())]


def _along(checked: Checked) -> Iterator[Row]:
    """Return the difference at three values of the baseline, each with a slope for each arm."""
    baseline, arms = checked.X[:, checked.baseline], checked.study.arms
    sd = baseline.std(ddof=1)
    places = {-1.0: "1 SD below its mean", 0.0: "at its mean", 1.0: "1 SD above its mean"}
    for sds, words in places.items():
        X = np.column_stack([checked.X, checked.arm * (baseline - baseline.mean() - sds * sd)])
        found = checked.infer(X, checked.y, checked.clusters, 1)
        row = tested_row(Term.ALONG_BASELINE, found, checked.level)
        untested = {"p_value": None, "statistic": None, "subgroup": words, "delta": sds}
        yield row | untested | {"level": f"{arms.active} - {arms.reference}"}


def _linearity(checked: Checked, _: str) -> Rows:
    """Test the curved terms of a spline, or a square where clusters or ties do not allow two."""
    baseline = checked.X[:, checked.baseline]
    try:
        joint = checked.test_last(spline_terms(baseline))
        told = bool(np.isfinite(joint.p_value) and joint.df >= LOWEST_DF)
    except ValueError:
        told = False
    if told:
        row: Row = {"statistic": float(joint.statistic), "df_num": joint.df_num}
        row |= {"df": float(joint.df), "p_value": float(joint.p_value)}
        how = "restricted cubic spline with four knots"
    else:
        # A square of the standardised baseline, that its size makes no difference.
        single = checked.infer_last((baseline / baseline.std()) ** 2)
        row, how = tested_row("", single, checked.level), "quadratic term"
    notes = (
        f"no curvature in the baseline was found ({how})",
        f"the outcome is not linear in its baseline ({how}): where the arms differ at baseline the "
        "adjustment is not complete",
    )
    row |= {"term": Term.LINEARITY, "scale": how}
    return [row | verdict(row["p_value"] < TEST_LEVEL, notes)]


def _cluster_effects(checked: Checked, scale: str) -> Rows:
    """No test: with pairs in the model the predicted effects have few free directions."""
    clusters, fit = allocated(checked.study).declared, checked.random_intercept
    variance, effects = float(fit.var_group), checked.with_effects.effects
    free = len(effects) - int(checked.pairs.max()) - 2
    note = (
        f"the {clusters.unit_label} variance is estimated at zero, so that the predicted effects "
        "are all zero and there is nothing to check"
        if variance == 0.0
        else f"{len(effects)} points with {free} free directions, those of a {clusters.pair_label} "
        "mirroring each other: to be looked at, too few for a test"
    )
    row: Row = {"term": Term.CLUSTER_EFFECTS, "scale": f"squared {scale}"}
    row |= {"level": clusters.unit_label, "estimate": variance, "inference": Inference.NONE}
    return [{**row, "note": note}]


EVERYWHERE: dict[str, Callable[[Checked, str], Rows]] = {
    Term.NORMALITY: _normality,
    Term.HETEROSCEDASTICITY: _heteroscedasticity,
    Term.VARIANCE_RATIO: _variance_ratio,
    Term.SLOPES: _slopes,
    Term.LINEARITY: _linearity,
    Term.COOK: influence.people,
}
WITH_CLUSTERS: dict[str, Callable[[Checked, str], Rows]] = {
    Term.CLUSTER_EFFECTS: _cluster_effects,
    Term.WITHOUT_CLUSTER: influence.without_clusters,
    Term.WITHOUT_PAIR: influence.without_pairs,
    Term.OUTLYING_PAIR: influence.outlying_pair,
}


def _robust_name(checked: Checked) -> Inference:
    return Inference.HC3 if checked.clusters is None else Inference.CR2
