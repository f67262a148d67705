"""Whom a result hangs on: people, clusters and pairs of clusters left out in turn."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.checked import Checked, Row, Rows, tested_row, verdict
from ccp_analysis.analyses.models.team_means import teams_of
from ccp_analysis.models.diagnostics import deletion_t
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.team_level import paired_team_means
from ccp_analysis.results import terms
from ccp_analysis.results.terms import Status, Term

# Cook's distance: above COOK_PERSON / n a person deserves a look (one in twenty does so where
# nothing is wrong); above COOK_LIMIT, the inner contour of R's plot.lm, the row is flagged. False
# flags: at most .001.
COOK_PERSON = 4.0
COOK_LIMIT = 0.5
# Standard errors by which one pair may move the difference. An outlying pair inflates the standard
# error by which it is judged: of five equal pairs none can move the mean of their differences by
# more than one standard error, hence the test of outlying pairs beside it. False flags: .02 to .09.
SHIFT_LIMIT = 1.0
# Most outlying pair, after Bonferroni. False flags: .05 to .06.
OUTLYING_LEVEL = 0.05


def people(checked: Checked, _: str) -> Rows:
    """Return the largest Cook's distance, and how many are above 4 / n.

    Parameters
    ----------
    checked : Checked
        The fitted model.

    Returns
    -------
    list of dict
        Rows without names: who the people are is in the figure data only.
    """
    cook = checked.residuals.cook
    largest, above = float(cook.max()), int((cook > COOK_PERSON / checked.n).sum())
    notes = (
        "no single person carries the fit",
        "one person carries much of the fit: look at the record, and at the result without it",
    )
    flag = largest > COOK_LIMIT
    distance: Row = {"term": Term.COOK, "level": "largest", "scale": "none"}
    distance |= {"estimate": largest, "inference": terms.Inference.NONE, **verdict(flag, notes)}
    count = {**distance, "term": Term.ABOVE_COOK, "level": "", "scale": "count"}
    count |= {"estimate": above, "status": Status.OK}
    count["note"] = f"about {0.05 * checked.n:.0f} are usual where nothing is wrong"
    return [distance, count]


def without_clusters(checked: Checked, _: str) -> Rows:
    """Return the difference without each cluster in turn, which is no inference.

    Parameters
    ----------
    checked : Checked
        The fitted model.

    Returns
    -------
    list of dict
        For each cluster the difference with its interval, and its change in standard errors.

    Raises
    ------
    ValueError
        If the arms cannot be compared without one of them.
    """
    clusters, units = allocated(checked.study).declared, checked.units
    lost = (
        f"influence only: without one {clusters.unit_label} its {clusters.pair_label} holds one "
        "arm, so that this is no inference"
    )
    first = np.unique(units, return_index=True)[1]
    cell = 2 * checked.pairs[first] + checked.arm[first].astype(int)
    alone = np.bincount(cell)[cell] == 1
    full, found = _left_out(checked, units)
    rows: Rows = []
    for k, name in enumerate(checked.names(clusters.unit)):
        note = lost if alone[k] else "influence only"
        kept = tested_row(Term.WITHOUT_CLUSTER, found, checked.level, k)
        left = {"level": name, **_numbers_left(checked, units == k)}
        kept |= {**left, "p_value": None, "statistic": None, "note": note}
        change = {"term": Term.CHANGE_WITHOUT_CLUSTER, **left, "scale": "standard errors"}
        shift = (found.estimate[k] - full.estimate[0]) / full.std_error[0]
        rows += [kept, {**change, "estimate": float(shift), "note": note}]
    return rows


def without_pairs(checked: Checked, _: str) -> Rows:
    """Return the difference without each pair of clusters in turn.

    Parameters
    ----------
    checked : Checked
        The fitted model.

    Returns
    -------
    list of dict
        For each pair the difference with its inference, flagged where its interval includes zero
        and that of everyone does not, or the other way round; and its change, flagged where it is
        more than `SHIFT_LIMIT` standard errors.

    Raises
    ------
    ValueError
        If the arms cannot be compared without one of them.

    Notes
    -----
    That two intervals lie alike to zero does not make two results alike: how far the difference
    moves is judged by itself. That what is found hangs on one pair is no violation of an
    assumption, and no test with a level: with five pairs one is a fifth of the evidence. Of draws
    with no effect .14 to .17 have such a pair under an ancova and at most .04 under a mixed model;
    where an effect is just detectable, half of them under an ancova.
    """
    clusters = allocated(checked.study).declared
    full, found = _left_out(checked, checked.pairs)
    before = bool(full.p_value[0] < 1.0 - checked.level)
    rows: Rows = []
    for k, name in enumerate(checked.names(clusters.pair)):
        kept = tested_row(Term.WITHOUT_PAIR, found, checked.level, k)
        after = bool(kept["p_value"] < 1.0 - checked.level)
        held = "excludes" if after else "includes"
        notes = (
            f"without {name} the interval {held} zero, as with everyone: how far the difference "
            "moves is another row",
            f"without {name} the interval {held} zero, as it does not with everyone: whether a "
            "difference is found hangs on it",
        )
        left = {"level": name, **_numbers_left(checked, checked.pairs == k)}
        kept |= {**left, **verdict(after != before, notes)}
        shift = float((found.estimate[k] - full.estimate[0]) / full.std_error[0])
        size = f"without {name} the difference moves by {abs(shift):.2f} of its standard errors"
        change: Row = {"term": Term.CHANGE_WITHOUT_PAIR, **left, "estimate": shift}
        moved = verdict(abs(shift) > SHIFT_LIMIT, (size, size))
        rows += [kept, {**change, "scale": "standard errors", **moved}]
    return rows


def outlying_pair(checked: Checked, scale: str) -> Rows:
    """Compare the most outlying of the baseline-adjusted pair differences with the others.

    Parameters
    ----------
    checked : Checked
        The fitted model.
    scale : str
        Unit of the outcome.

    Returns
    -------
    list of dict
        One row, p-value unadjusted and after Bonferroni; the interval is unadjusted.

    Raises
    ------
    ValueError
        If a pair lacks one of its clusters, or there are fewer than three pairs.
    """
    pairs, *of_teams = teams_of(checked.study, checked.sample)
    teams = paired_team_means(checked.y, checked.X[:, checked.baseline], *of_teams)
    if teams.status == Status.FAILED:
        raise ValueError(str(teams.note))
    d = teams.pair_differences
    statistic, p = deletion_t(d)
    k, count = int(np.argmin(p)), len(d)
    adjusted = min(1.0, count * float(p[k]))
    name = pairs[k]
    deviation = float(d[k] - np.delete(d, k).mean())
    error = deviation / float(statistic[k])
    half = float(stdtrit(count - 2, 0.5 + checked.level / 2)) * error
    notes = (
        f"no pair stands out from the others; {name} lies farthest from them",
        f"{name} stands out from the others: the difference averages pairs that do not agree",
    )
    row: Row = {"term": Term.OUTLYING_PAIR, "level": name, "scale": scale, "df_num": 1}
    row |= {"estimate": deviation, "std_error": error, "statistic": float(statistic[k])}
    row |= {"df": count - 2, "p_value": float(p[k]), "p_adjusted": adjusted, "family": "pairs"}
    row |= {"conf_low": deviation - half, "conf_high": deviation + half}
    row |= {"conf_level": checked.level, "inference": terms.Inference.DELETION_T}
    return [row | verdict(adjusted < OUTLYING_LEVEL, notes)]


def _left_out(checked: Checked, units: np.ndarray) -> tuple[Inference, Inference]:
    """Return the difference with everyone, shape (1,), and without each unit, shape (U,)."""
    whole = checked.infer(checked.X, checked.y, checked.units, 1)
    return whole, checked.infer_without(units)


def _numbers_left(checked: Checked, out: np.ndarray) -> Row:
    """Count people and clusters without those left out."""
    return {
        "n": int((~out).sum()),
        "n_clusters": len(np.unique(checked.units[~out])),
    }
