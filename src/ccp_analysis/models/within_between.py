"""An exposure of people in teams, split into what lies between teams and what lies within them."""

from __future__ import annotations

import numpy as np

from ccp_analysis.models.ols import grouping
from ccp_analysis.models.team_level import CONSTANT_TOLERANCE


def within_between(exposure: np.ndarray, team: np.ndarray) -> np.ndarray:
    """Return columns of a design that separate teams' mean exposure from that within teams.

    Parameters
    ----------
    exposure : array_like
        Shape (..., n).
    team : array_like of int
        Team of each person, shape (n,).

    Returns
    -------
    numpy.ndarray
        Mean of the team, and deviation from it, shape (..., n, 2). The slope of the second is that
        between people of one team; that of the first, between teams, is open to all that teams
        differ in. What varies by rounding only is zero, so that `fit_ols` finds the column.

    Raises
    ------
    ValueError
        If there is not one team for each person, there are fewer than two teams, or in every fit
        the exposure has missing values or does not vary within teams, or not between them.

    Notes
    -----
    Neuhaus & Kalbfleisch (1998, Biometrics 54:638-645).

    Examples
    --------
    >>> from ccp_analysis.models.within_between import within_between
    >>> print(within_between([3.0, 5.0, 8.0, 9.0, 10.0], [0, 0, 1, 1, 1]))
    [[ 4. -1.]
     [ 4.  1.]
     [ 9. -1.]
     [ 9.  0.]
     [ 9.  1.]]
    """
    exposure = np.asarray(exposure, dtype=float)
    teams = grouping(team, exposure.shape[-1])
    if not np.isfinite(exposure).all(axis=-1).any():
        raise ValueError("The exposure has missing or infinite values.")
    means = teams.means(exposure[..., None])
    between = means[..., teams.codes, 0]
    within = exposure - between
    size = np.abs(exposure).max(axis=-1, keepdims=True)
    within = np.where(np.abs(within) <= CONSTANT_TOLERANCE * size, 0.0, within)
    if not within.any():
        raise ValueError("The exposure does not vary within teams: there is no slope within them.")
    apart = np.ptp(means[..., 0], axis=-1)
    if (apart <= CONSTANT_TOLERANCE * size[..., 0]).all():
        raise ValueError("Every team has the same mean exposure: there is no slope between teams.")
    return np.stack([between, within], axis=-1)
