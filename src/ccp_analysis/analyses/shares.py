"""A share of people in few clusters, with its interval, as columns of a row of the results."""

from __future__ import annotations

from typing import Any

import numpy as np

from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.proportions import exact_limits, logit_limits
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.results.terms import Inference, Status

ROUNDING = 1e-12
Row = dict[str, Any]


def no_estimate(note: str) -> Row:
    """Return the columns of what there is no estimate or no interval of."""
    return {"status": Status.REFUSED, "note": note}


def share(
    values: np.ndarray, team: np.ndarray, level: float, icc: float, unit: str, few: int = 0
) -> Row:
    """Return a share of people, with an interval that knows their clusters.

    Parameters
    ----------
    values : numpy.ndarray
        0 or 1, or a share of several answers, of each person; shape (n,).
    team : numpy.ndarray of int
        Cluster of each person, shape (n,).
    level : float
        Of the interval.
    icc : float
        Intraclass correlation that is assumed where the data say too little of it.
    unit : str
        What a cluster is called.
    few : int
        Fewest people who have it, and fewest who do not, of whom the data say how clusters differ.

    Returns
    -------
    dict
        Columns of a row.

    Notes
    -----
    CR2 over clusters with limits on the scale of the log odds. Where fewer than `few` people have
    it or do not, clusters do not differ in it, as where nobody or everybody has it, or there is one
    cluster, the interval is the exact one of as many independent people as these are worth: at the
    intraclass correlation assumed, or each by itself in a single cluster.
    """
    n, clusters = len(values), len(np.unique(team))
    if n == 0:
        return {**no_estimate("nobody of whom it is known"), "scale": "proportion", "n": 0}
    found, have = float(values.mean()), float(values.sum())
    row: Row = {"scale": "proportion", "estimate": found, "n": n}
    row |= {"n_clusters": clusters, "conf_level": level}
    enough = 0.0 < found < 1.0 and min(have, n - have) >= few
    if enough and clusters > 1:
        by_teams = cluster_robust(fit_ols(np.ones((n, 1)), values), team, np.ones((1, 1)))
        error, df = float(by_teams.std_error[0]), float(by_teams.df[0])
        if np.isfinite(error) and error > ROUNDING:
            low, high = logit_limits(found, error, df, level)
            row |= {"std_error": error, "df": df, "inference": Inference.CR2_LOGIT}
            return row | {"conf_low": float(low), "conf_high": float(high)}
    sizes = np.unique(team, return_counts=True)[1]
    if clusters == 1:
        limits = exact_limits(have, n, None, 0.0, level)
        note = f"exact, of these people alone: nothing is said of other {unit}s"
    elif clusters == n:
        limits, note = exact_limits(have, n, None, 0.0, level), "exact"
    else:
        limits = exact_limits(have, n, sizes, icc, level)
        worst = exact_limits(have, n, sizes, 1.0, level)
        why = f"{unit}s do not differ in it"
        if 0.0 < found < 1.0 and not enough:
            why = f"fewer than {few} people have it or do not, too few to say how {unit}s differ"
        note = (
            f"{why}, so that the interval is the exact one at an assumed intraclass correlation of "
            f"{icc:g}; if all of a {unit} were alike it would be {worst[0]:.2f} to {worst[1]:.2f}"
        )
    row |= {"conf_low": limits[0], "conf_high": limits[1], "note": note}
    return row | {"inference": Inference.EXACT}
