"""Incremental cost-effectiveness ratios, in words where a number would mean nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.analyses.allocation import require_inference
from ccp_analysis.analyses.question import require_varying
from ccp_analysis.analyses.rows import Rows, with_note
from ccp_analysis.config.currencies import MONEY
from ccp_analysis.config.study import Study
from ccp_analysis.economics.compared import Compared, contrast
from ccp_analysis.economics.outcomes import COST
from ccp_analysis.models.averaged import AVERAGED, covariance, pool_by, rule_for
from ccp_analysis.models.ratio import fieller
from ccp_analysis.results.terms import Inference, Model, Term

QUADRANTS = (
    "more costly, more effective",
    "more costly, less effective",
    "less costly, more effective",
    "less costly, less effective",
)
SUMS = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, -1.0))  # a pair, its sum and its difference
UNBOUNDED = (
    "no interval: that of the difference in effects includes zero, so that the ratio may be of any "
    "size and of either sign"
)


def quadrant(cost: float, effect: float) -> str:
    """Return where in the cost-effectiveness plane a pair of differences lies."""
    return QUADRANTS[2 * (not cost > 0) + (not effect > 0)]


@dataclass(frozen=True)
class Effect:
    """What a ratio sets beside the cost.

    Attributes
    ----------
    outcome : str
        Name of the outcome.
    value : str
        Its column in the tables.
    unit : str
        What one of it is called.
    better : float
        1 where more is better, -1 where less is; then effects are gains of less.
    """

    outcome: str
    value: str
    unit: str
    better: float = 1.0

    @property
    def gained(self) -> str:
        """What one of it is called as a gain."""
        return self.unit if self.better > 0 else f"{self.unit} less"


@dataclass(frozen=True)
class Pair:
    """Pooled differences in cost and effect, from one design.

    Attributes
    ----------
    estimate : numpy.ndarray, shape (2,)
        Cost, effect.
    covariance : numpy.ndarray, shape (2, 2)
        Within and between imputations.
    df : float
        Degrees of freedom of the effect.
    """

    estimate: np.ndarray
    covariance: np.ndarray
    df: float


def pooled_pair(data: Compared, effect: Effect) -> Pair:
    """Pool the differences in cost and effect with their covariance.

    Their covariance is a quarter of what the variance of the sum exceeds that of the difference by,
    both outcomes first brought to a standard deviation of one: whatever is quadratic in the outcome
    (CR2 within imputations, and the variance between them) has it exactly so. Averaged
    contributions have a covariance of their own.
    """
    require_varying(data.chosen, COST, "the cost")
    require_varying(data.chosen, effect.value)
    size = data.values(COST, effect.value).std(axis=(0, 2))
    signs = np.array([1.0, effect.better]) / size
    inference, _ = data.fit_sums(np.array(SUMS) * signs, effect.value)
    difference = contrast(inference, 0)
    require_inference(difference.part((..., np.s_[:2])))
    pooled = pool_by(rule_for(difference, data.chosen.pooling), difference)
    if not np.isfinite(pooled.std_error[:2]).all():
        raise ValueError("the difference between the arms has no standard error")
    if pooled.rule == AVERAGED:
        together = covariance(difference.part(np.s_[..., :2]))
    else:
        shared = (pooled.total[2] - pooled.total[3]) / 4.0
        together = np.array([[pooled.total[0], shared], [shared, pooled.total[1]]])
    return Pair(pooled.estimate[:2] * size, together * np.outer(size, size), float(pooled.df[1]))


def ratio_rows(data: Compared, effect: Effect) -> Rows:
    """Return the ratio of the difference in cost to that in effect, or why there is none.

    Parameters
    ----------
    data : Compared
        The people, with the effect's own baseline in the design.
    effect : Effect
        What is set beside the cost.

    Returns
    -------
    list of dict
        One row. An estimate only where both differences have the same sign, an interval only where
        that of the effect excludes zero.

    Notes
    -----
    Fieller (1954, J R Stat Soc B 16:175-185) with the pooled covariance and the degrees of freedom
    of the effect, so that its set is an interval just where the effect differs from zero.
    """
    pair = pooled_pair(data, effect)
    cost, gain = pair.estimate
    head = ratio_head(effect)
    row: dict[str, object] = {
        "term": head["term"],
        "level": quadrant(cost, gain),
        "note": in_words(data.study, cost, gain, effect),
    }
    if cost * gain > 0.0:
        row["estimate"] = float(cost / gain)
        low, high = _limits(pair, data.level)
        if np.isfinite(low) and np.isfinite(high):
            row |= {"conf_low": low, "conf_high": high, "conf_level": data.level}
            [row] = with_note([row], _reading(data.study, low, gain))
        else:
            [row] = with_note([row], UNBOUNDED)
    ask = data.ask(head["outcome"], head["scale"])
    [row] = with_note([row], data.evaluated.note)
    return data.complete([row], ask, head["model"], Inference.FIELLER)


def ratio_head(effect: Effect) -> dict[str, str]:
    """Return what the row of a ratio has, whether there is one or not."""
    return {
        "term": Term.ICER,
        "level": "",
        "outcome": f"cost per {effect.outcome}",
        "scale": f"{MONEY} per {effect.gained}",
        "model": Model.ANCOVA,
    }


def in_words(study: Study, cost: float, gain: float, effect: Effect) -> str:
    """Say what a pair of differences means.

    Parameters
    ----------
    study : Study
        Labels of the arms.
    cost, gain : float
        Differences; a gain above zero is for the better.
    effect : Effect
        What was gained.
    """
    active = study.arms.levels[study.arms.active]
    reference = study.arms.levels[study.arms.reference]
    unit = effect.gained
    if gain == 0.0:
        return "undefined: there is no difference in effects by which to divide"
    if cost > 0.0 and gain < 0.0:
        return (
            f"by the point estimates {active} is dominated: it costs more and achieves less than "
            f"{reference}, and a ratio would mean nothing"
        )
    if cost <= 0.0 < gain:
        return (
            f"by the point estimates {active} dominates: it costs no more and achieves more than "
            f"{reference}, and a ratio would mean nothing"
        )
    if cost == 0.0:
        return f"by the point estimates {active} achieves less than {reference} at the same cost"
    if gain > 0.0:
        return (
            f"what each {unit} gained by {active} costs, by the point estimates: it is worth it "
            "to whoever would pay more"
        )
    return (
        f"cost-saving but less effective: what {active} saves for each {unit} forgone, by the "
        "point estimates; it is worth it to whoever would accept less"
    )


def _limits(pair: Pair, level: float) -> tuple[float, float]:
    found = fieller(pair.estimate, pair.covariance, pair.df, level)
    return float(found.low), float(found.high)


def _reading(study: Study, low: float, gain: float) -> str:
    """Say what limits below zero mean."""
    if low >= 0.0:
        return ""
    active = study.arms.levels[study.arms.active]
    what = "dominates" if gain > 0.0 else "is dominated"
    return f"the part of the interval below zero means that {active} {what}"
