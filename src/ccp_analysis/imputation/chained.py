"""Fully conditional specification (chained equations), all imputations advanced together.

The method and its sources are in the docstring of the package. Nothing loops over imputations: one
update of a linear model costs O(m n p) for n rows and p incomplete predictors, one of a categorical
model O(m n p^2) for each step of its optimisation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ccp_analysis.imputation import Conditional, Derived, Imputed, check_arguments
from ccp_analysis.imputation.categorical import CategoricalTarget
from ccp_analysis.imputation.chains import Chains, evaluate
from ccp_analysis.imputation.linear import LinearTarget, Target
from ccp_analysis.imputation.matching import draw_donors
from ccp_analysis.imputation.multilevel import MultilevelTarget

__all__ = ["Conditional", "Derived", "Imputed", "draw_donors", "impute"]

TARGETS: dict[str, type[Target]] = {
    "norm": LinearTarget,
    "pmm": LinearTarget,
    "lrd": LinearTarget,
    "logreg": CategoricalTarget,
    "polyreg": CategoricalTarget,
    "2l.norm": MultilevelTarget,
}


def impute(
    data: np.ndarray,
    plan: Sequence[Conditional],
    *,
    m: int,
    iterations: int,
    rng: np.random.Generator,
    fixed: np.ndarray | None = None,
    derived: Sequence[Derived] = (),
    strata: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
    between: np.ndarray | None = None,
    never: np.ndarray | None = None,
    streams: Mapping[int, np.random.Generator] | None = None,
    on_iteration: Callable[[int], None] | None = None,
) -> Imputed:
    """Impute by fully conditional specification.

    Parameters
    ----------
    data : array_like, shape (n, v)
        Numbers, NaN where missing.
    plan : sequence of Conditional
        One model per variable to impute, visited in this order. Models of complete columns are
        passed over; incomplete columns without a model stay as they are and cannot be predictors.
    m : int
        Number of imputations.
    iterations : int
        Number of rounds over the plan. Chains start from random draws of the observed values.
    rng : numpy.random.Generator
        The only source of randomness but for `streams`. Arrays are drawn in the order of the plan.
    fixed : array_like, shape (n, q), optional
        Complete columns that are predictors in every model, such as team indicators. The
        intercept is added here. Constant and redundant columns do no harm: where the observed rows
        leave their coefficients open, the solution of least norm (centred, standardised) is taken.
        So a team whose values are all missing is imputed at the average over teams if every team
        has its indicator; `ccp_analysis.imputation.feasible` refuses that.
    derived : sequence of Derived, optional
        Columns that follow from others; they are brought up to date before a model uses them.
    strata : array_like of int, shape (n,), optional
        Rows of different codes have models of their own, such as the arms.
    clusters : array_like of int, shape (n,), optional
        Cluster of each row, for models of the method ``2l.norm``.
    between : array_like, shape (n, r), optional
        Complete columns that take the place of `fixed` in models of the method ``2l.norm``, where
        indicators of the clusters would be redundant; the arm, for instance.
    never : array_like of bool, shape (n, v), optional
        Missing values that are none: they cannot exist and are NaN in the result. Inside the chains
        they are drawn like the others, so that a model that uses them as predictors averages over
        them instead of conditioning on a value that there is not.
    streams : mapping, optional
        Column → generator of its own for the models of that column, so that others draw the same
        random numbers whether or not it is there. Several columns may share one.
    on_iteration : callable, optional
        Called after each iteration with its index, from 0.

    Returns
    -------
    Imputed

    Raises
    ------
    ValueError
        If the arguments contradict each other, a target has no observed value (in a stratum), a
        predictor's missing values are imputed by no model, a derived value is no number, or the
        chains diverge.

    Notes
    -----
    With more coefficients than observed rows the ridge still gives a solution, with one degree of
    freedom as in mice, but its imputations vary too little: such a plan should name fewer
    predictors. `Imputed.ridged` tells.
    """
    data = np.array(data, dtype=float)
    fixed = np.empty((len(data), 0)) if fixed is None else np.asarray(fixed, dtype=float)
    check_arguments(data, plan, derived, fixed, m, iterations)
    if clusters is None and any(c.method == "2l.norm" for c in plan):
        raise ValueError("the method '2l.norm' needs clusters")
    _complete_derived(data, derived)
    missing = np.isnan(data)
    streams = streams or {}
    hidden = np.zeros(data.shape, dtype=bool) if never is None else np.asarray(never, dtype=bool)
    plan = [c for c in plan if missing[:, c.target].any()]
    chains = Chains(data, plan, derived, fixed, m, clusters, between)
    targets = [
        TARGETS[c.method](c, missing, chains, rows)
        for c in plan
        for rows in _strata(c, missing, strata)
    ]

    mean, sd = np.full((2, iterations, data.shape[1], m), np.nan)
    ridged = np.zeros(data.shape[1], dtype=int)
    drawn = np.repeat(data[None], m, axis=0)
    shown = {
        column: np.flatnonzero(missing[:, column] & ~hidden[:, column])
        for c in plan
        for column in c.columns
    }
    shown |= {d: rows[~hidden[rows, d]] for d, rows in chains.rows.items() if len(rows)}
    for t in targets:
        first = t.start(chains, streams.get(t.column, rng))
        drawn[:, t.mis[:, None], t.model.columns] = _columns(t, first)
    for iteration in range(iterations):
        chains.refresh()
        for t in targets:
            new, count = t.update(chains, streams.get(t.column, rng))
            drawn[:, t.mis[:, None], t.model.columns] = _columns(t, new)
            ridged[t.column] += count
        _derive(drawn, derived, chains, quick=iteration + 1 < iterations)
        for column, rows in shown.items():
            current = drawn[:, rows, column]
            if len(rows):
                mean[iteration, column] = current.mean(axis=1)
            if len(rows) > 1:
                sd[iteration, column] = current.std(axis=1, ddof=1)
        if on_iteration is not None:
            on_iteration(iteration)

    del chains  # its arrays are as large as the result
    if never is not None:
        drawn[:, hidden & missing] = np.nan
    return Imputed(drawn, mean, sd, ridged)


def _columns(target: Target, values: np.ndarray) -> np.ndarray:
    """Return new values as (m, n0, columns of the target)."""
    return values if values.ndim == 3 else values[:, :, None]


def _strata(
    model: Conditional, missing: np.ndarray, strata: np.ndarray | None
) -> list[np.ndarray | None]:
    """Return the rows of each stratum in which something is to be imputed; None for all rows."""
    if strata is None:
        return [None]
    return [
        rows
        for code in np.unique(strata)
        if missing[rows := np.asarray(strata) == code, model.target].any()
    ]


def _complete_derived(data: np.ndarray, derived: Sequence[Derived]) -> None:
    """Fill in derived values whose parts are all there."""
    for d in derived:
        parts = data[:, list(d.parts)]
        rows = np.isnan(data[:, d.target]) & np.isfinite(parts).all(axis=1)
        if rows.any():
            data[rows, d.target] = evaluate(d, parts[rows])


def _derive(drawn: np.ndarray, derived: Sequence[Derived], chains: Chains, *, quick: bool) -> None:
    """Compute derived columns (m, n, v) from their parts, on their own scale and exactly."""
    for d in derived:
        rows = chains.rows[d.target]
        if len(rows):
            parts = drawn[:, rows[:, None], d.parts]
            values = evaluate(d, parts.reshape(-1, len(d.parts)), quick=quick)
            drawn[:, rows, d.target] = values.reshape(parts.shape[:2])
