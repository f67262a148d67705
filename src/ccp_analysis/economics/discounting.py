"""Later years: discounting of costs and effects, and annuities of what lasts longer.

Whole years are discounted, the first one not at all: what falls in year k (from 1 on) is divided by
(1 + rate)^(k - 1), wherever in it it falls.
"""

from __future__ import annotations

import numpy as np


def present_years(years: np.ndarray | float, rate: float) -> np.ndarray:
    """Return what the time until then counts for, in years of the first.

    Parameters
    ----------
    years : array_like
        Years after the baseline, shape (...).
    rate : float
        Annual rate of discounting.

    Returns
    -------
    numpy.ndarray
        The integral from 0 to there of (1 + rate)^-floor(t), shape (...).

    Examples
    --------
    >>> from ccp_analysis.economics.discounting import present_years
    >>> print(present_years([0.5, 1.0, 1.5, 3.0], 0.25))
    [0.5  1.   1.4  2.44]
    """
    years = np.asarray(years, dtype=float)
    whole, less = np.floor(years), 1.0 / (1.0 + rate)
    before = whole if rate == 0.0 else (1.0 - less**whole) / (1.0 - less)
    return before + (years - whole) * less**whole


def discount_factor(begin: np.ndarray | float, end: np.ndarray | float, rate: float) -> np.ndarray:
    """Return what an amount that is spread evenly from one time to another counts for.

    Parameters
    ----------
    begin, end : array_like
        Years after the baseline, shape (...).
    rate : float
        Annual rate of discounting.

    Returns
    -------
    numpy.ndarray
        Shape (...); 1 where no time passes.
    """
    begin, end = np.broadcast_arrays(np.asarray(begin, float), np.asarray(end, float))
    counted = present_years(end, rate) - present_years(begin, rate)
    length = end - begin
    return np.where(length > 0.0, counted / np.where(length > 0.0, length, 1.0), 1.0)


def share_within(years: float, lifetime: float, annuity: float, discount: float) -> float:
    """Return the share of the cost of what lasts some years that falls within a horizon.

    Parameters
    ----------
    years : float
        The horizon.
    lifetime : float
        For how many years it serves.
    annuity : float
        Annual rate of interest; 0 spreads the cost evenly.
    discount : float
        Annual rate of discounting.

    Returns
    -------
    float
        All of it where it lasts no longer than the horizon, and never more.

    Notes
    -----
    The equivalent annual cost is that over the annuity factor (1 - (1 + r)^-n) / r, in arrears
    (Drummond et al. 2015, Methods for the Economic Evaluation of Health Care Programmes, 4th
    edition, section 7.2); a part of a year costs that part of it.

    Examples
    --------
    An item that lasts five years, at 5 %: the first year bears 23.1 % of its cost, of which 20 %
    would be an even share.

    >>> from ccp_analysis.economics.discounting import share_within
    >>> print(round(share_within(1.0, 5.0, 0.05, 0.035), 4), share_within(1.0, 5.0, 0.0, 0.035))
    0.231 0.2
    """
    if lifetime <= years:
        return 1.0
    factor = lifetime if annuity == 0.0 else (1.0 - (1.0 + annuity) ** -lifetime) / annuity
    return min(1.0, float(present_years(years, discount)) / factor)
