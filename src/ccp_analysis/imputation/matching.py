"""Predictive mean matching: whose value is taken."""

from __future__ import annotations

import numpy as np

GRID = 1e9
"""Predictions, in standard deviations of the variable, are rounded to multiples of 1 / GRID."""

PER_DONOR = 10
"""Observed values for each donor of the pool: there are fewer donors where fewer were observed."""


def draw_donors(
    observed: np.ndarray, missing: np.ndarray, uniform: np.ndarray, donors: int
) -> np.ndarray:
    """Draw for every missing value one of the observed rows whose predictions are nearest.

    Predictions are rounded to multiples of 1/`GRID` first, so distances are exact whole numbers and
    another processor picks the same donors. The pool holds the `donors` nearest; if several rows
    share the largest distance that still enters, which of them enter is drawn at random, separately
    for every missing value. (By index, the first rows of a file would always win where predictors
    are categorical; mice draws one order for all missing values of an imputation.) The drawing
    needs no list of the pool: with c rows strictly nearer than the k-th distance and ties at it,
    one of those c with probability c/k, otherwise any of the ties.

    Parameters
    ----------
    observed : ndarray, shape (m, n1)
        Predictions of the rows with an observed value, in standard deviations of the variable.
    missing : ndarray, shape (m, n0)
        Predictions of the rows without.
    uniform : ndarray, shape (m, n0)
        Uniform random numbers in [0, 1).
    donors : int
        Size k of the pool; all rows if there are fewer.

    Returns
    -------
    ndarray of int, shape (m, n0)
        Positions in the second axis of `observed`.

    Notes
    -----
    O(n log n): one sort per imputation; the k nearest are neighbours in it, found by bisection.
    """
    m, n = observed.shape
    k = min(donors, n)
    grid = np.rint(observed * GRID)
    low, high = grid.min(axis=1, keepdims=True), grid.max(axis=1, keepdims=True)
    span, bits = int((high - low).max()) + 1, n.bit_length()
    if max(span << bits, 3 * span * m) >= 1 << 62:
        raise ValueError("predictions of the observed rows are too far apart to be ranked")
    # Value and index in one number: sorting is then unique, whichever algorithm sorts.
    keys = np.sort(((grid - low).astype(np.int64) << bits) + np.arange(n), axis=1)
    # Imputations in bands one above the other: one sorted array serves all. Beyond the range
    # of the observed the ranking no longer changes, so the missing are drawn to its edge.
    row = np.arange(m)[:, None]
    ordered = ((keys >> bits) + row * (3 * span)).ravel()
    x = (np.clip(np.rint(missing * GRID), low, high) - low).astype(np.int64) + row * (3 * span)
    # In ascending order, what is sought lies near what was found before it.
    rank = np.argsort(x, axis=1)
    x, uniform = (np.take_along_axis(values, rank, axis=1) for values in (x, uniform))

    start = np.searchsorted(ordered, x)
    first, last = row * n, row * n + n - k
    distance = np.full(x.shape, np.iinfo(np.int64).max)
    for shift in range(k + 1):
        window = np.clip(start - shift, first, last)
        reach = np.maximum(x - ordered[window], ordered[window + k - 1] - x)
        np.minimum(distance, reach, out=distance)

    below = np.searchsorted(ordered, x - distance)
    nearer = np.searchsorted(ordered, x - distance, side="right")
    above = np.searchsorted(ordered, x + distance)
    end = np.searchsorted(ordered, x + distance, side="right")
    ties_below = np.where(distance > 0, nearer - below, 0)
    ties = ties_below + end - above

    place = (uniform * k).astype(np.int64)
    tie = np.minimum(((uniform * k - place) * ties).astype(np.int64), ties - 1)
    tied = np.where(tie < ties_below, below + tie, above + tie - ties_below)
    chosen = np.where(place < above - nearer, nearer + place, tied)
    found = np.empty_like(chosen)
    np.put_along_axis(found, rank, (keys & ((1 << bits) - 1)).ravel()[chosen], axis=1)
    return found
