"""Standard errors side by side: by clusters, as if there were none, and of the bootstrap."""

from __future__ import annotations

import numpy as np
from scipy.special import chdtri

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import arm_contrasts
from ccp_analysis.analyses.question import least_squares
from ccp_analysis.analyses.rows import Rows, pooled_rows, with_note
from ccp_analysis.economics.bootstrap import Draws
from ccp_analysis.economics.compared import Compared, contrast
from ccp_analysis.economics.left_out import sums
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.intraclass import intraclass_interval
from ccp_analysis.models.ols import classical
from ccp_analysis.results import terms
from ccp_analysis.results.terms import Model, Term

IGNORING = "as if people were independent: not an inference for clusters, shown to be compared"
BY_CHI2 = "interval by the chi-square distribution on its degrees of freedom"
OF_DRAWS = "standard deviation of the draws"
ANOVA = (
    "by the two mean squares, so that it can be negative, as can its exact interval (Harville and "
    "Fenech)"
)


def error_rows(data: Compared, thresholds: list[float]) -> Rows:
    """Return the standard errors of cost, QALYs and net benefit, and how alike clusters are.

    Parameters
    ----------
    data : Compared
        The people of the main evaluation.
    thresholds : list of float
        At which the net benefit is taken.

    Returns
    -------
    list of dict
        By the main inference; where this is by clusters also by least squares as if there were
        none (by Rubin's rules), and the intraclass correlation of what the design leaves.

    Notes
    -----
    With s^2 distributed as sigma^2 chi^2 / df, as Satterthwaite's approximation has it, the
    interval of a standard error reaches from s sqrt(df / q) at the upper quantile q of chi^2 to
    the same at the lower.
    """
    every, y = sums(data, thresholds)
    fit = least_squares(data.X, y)
    main, method = allocated(data.study).infer(data.chosen, fit)
    each: list[tuple[Inference, str, str]] = [(main, method, "")]
    if data.study.clusters:
        each.append(
            (classical(fit, arm_contrasts(fit.coef.shape[-1])), terms.Inference.T, IGNORING)
        )
    rows: Rows = []
    for found, how, note in each:
        lines = pooled_rows(data.chosen, contrast(found, 0), data.level, needed=y.shape[1])
        for one, line in zip(every, lines, strict=True):
            [row] = with_note([_interval(line, data.level)], note)
            rows += _of(data, {**row, **one.head}, how)
    units = allocated(data.study).units(data.chosen)
    if units is None:
        return rows
    for k, one in enumerate(every):
        alike = intraclass_interval(
            least_squares(data.X, y[:, k]), units, data.level, negative=True
        )
        row = {"term": Term.INTRACLASS, "estimate": alike.moments, "note": ANOVA, **one.head}
        row |= {"conf_low": alike.low, "conf_high": alike.high, "conf_level": data.level}
        rows += _of(data, {**row, "scale": "proportion"}, terms.Inference.F)
    return rows


def drawn_error_rows(data: Compared, draws: Draws, thresholds: list[float]) -> Rows:
    """Return the standard deviations of the bootstrap's draws beside these."""
    rows: Rows = []
    for one in sums(data, thresholds)[0]:
        drawn = one.weights[0] * draws.cost + one.weights[1] * draws.effect
        row = {"term": Term.STANDARD_ERROR, "estimate": float(drawn.std(ddof=1)), **one.head}
        row |= {"model": Model.TWO_STAGE_BOOTSTRAP, "m": None, "note": OF_DRAWS}
        rows += _of(data, row, terms.Inference.BOOTSTRAP)
    return rows


def _of(data: Compared, row: dict, inference: str) -> Rows:
    ask = data.ask(row["outcome"], row["scale"])
    return data.complete([row], ask, row["model"], inference)


def _interval(line: dict, level: float) -> dict:
    """Return a standard error with the interval that its degrees of freedom give it."""
    error = {"term": Term.STANDARD_ERROR, "estimate": line["std_error"]}
    error |= {name: line.get(name) for name in ("df", "pooling")}
    if line["df"] is None:
        return error
    tails = np.array([0.5 - level / 2.0, 0.5 + level / 2.0])
    low, high = line["std_error"] * np.sqrt(line["df"] / chdtri(line["df"], tails))
    return error | {
        "conf_low": float(low),
        "conf_high": float(high),
        "conf_level": level,
        "note": BY_CHI2,
    }
