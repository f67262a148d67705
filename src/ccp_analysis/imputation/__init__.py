r"""Multiple imputation: from the participants table to m completed tables.

Fully conditional specification (van Buuren & Groothuis-Oudshoorn 2011): for every incomplete
variable in turn, a linear model given other variables is fitted to the rows where it was observed,
its parameters are drawn from their posterior, and the missing values are drawn again.

Bayesian linear regression (Rubin 1987, pp. 166-167; ``mice.impute.norm``): with n1 observed rows, k
coefficients and residual sum of squares RSS,

.. math:: \sigma_*^2 = RSS / \chi^2_{n_1 - k},\quad \beta_* \sim N(\hat\beta, \sigma_*^2 (X'X)^{-1})

with at least one degree of freedom. Predictive mean matching (Little 1988; Morris, White & Royston
2014) fills in the value of one of the k observed rows whose predictions are nearest; it matches by
"type 1", as ``mice.impute.pmm``: predictions of the observed from :math:`\hat\beta`, of the missing
from :math:`\beta_*`. A value taken over whole draws those at the edge of the predictions towards
the middle, and a difference between arms that lost different people towards zero; local residual
draws (Schenker & Taylor 1996; Morris et al. 2014) take the donor's residual instead, to which the
own prediction is added.

Categories: Bayesian logistic regression (Rubin 1987, pp. 169-170) and its multinomial extension,
drawn from the normal approximation to the posterior, with the pseudo-observations of White, Daniel
& Royston (2010) against perfect prediction (`ccp_analysis.imputation.categorical`). Many clusters:
a random cluster intercept (`ccp_analysis.imputation.multilevel`).

A derived variable (a total, a change, an interaction) is never imputed: it is computed again from
its parts whenever one of them has changed and a model needs it.

References
----------
Little RJA (1988). Missing-data adjustments in large surveys. J Bus Econ Stat 6:287-296.
Morris TP, White IR, Royston P (2014). Tuning multiple imputation by predictive mean matching and
local residual draws. BMC Med Res Methodol 14:75.
Rubin DB (1987). Multiple Imputation for Nonresponse in Surveys. Wiley.
White IR, Daniel R, Royston P (2010). Avoiding bias due to perfect prediction in multiple imputation
of incomplete categorical variables. Comput Stat Data Anal 54:2267-2275.
Schenker N, Taylor JMG (1996). Partially parametric techniques for multiple imputation. Comput Stat
Data Anal 22:425-446.
van Buuren S, Groothuis-Oudshoorn K (2011). mice: Multivariate Imputation by Chained Equations in R.
J Stat Softw 45(3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

METHODS = ("norm", "pmm", "lrd", "logreg", "polyreg", "2l.norm")


@dataclass(frozen=True)
class Conditional:
    """The conditional model of one incomplete variable.

    Parameters
    ----------
    target : int
        Column to impute.
    predictors : tuple of int
        Columns it is imputed from, beside the fixed columns; complete, themselves imputed, or
        derived.
    method : {"norm", "pmm", "lrd", "logreg", "polyreg", "2l.norm"}
        Bayesian linear regression, predictive mean matching, local residual draws, Bayesian
        logistic regression (two values), Bayesian multinomial regression (categories), or Bayesian
        linear regression with a random intercept for clusters.
    donors : int
        Size of the donor pool of ``pmm`` and ``lrd``.
    bounds : tuple of float, optional
        Lowest and highest value; draws of ``norm``, ``lrd`` and ``2l.norm`` outside are set to the
        nearer of the two. Without it they are unbounded. Values by the other methods are observed
        ones and need none.
    step : float, optional
        Draws of ``lrd`` are rounded to multiples of it, so that they are possible values.
    indicators : tuple of int
        Further columns of a variable of ``polyreg``: with `target` the indicators (0 or 1) of all
        its categories but the first, missing together.

    Raises
    ------
    ValueError
        If a field makes no sense.
    """

    target: int
    predictors: tuple[int, ...]
    method: str = "norm"
    donors: int = 5
    bounds: tuple[float, float] | None = None
    step: float | None = None
    indicators: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        where = f"conditional model of column {self.target}"
        if self.method not in METHODS:
            listed = ", ".join(f"'{method}'" for method in METHODS)
            raise ValueError(f"{where}: method must be one of {listed}, not '{self.method}'")
        if set(self.columns) & set(self.predictors):
            raise ValueError(f"{where}: the column cannot be its own predictor")
        if len(set(self.predictors)) < len(self.predictors):
            raise ValueError(f"{where}: a predictor is named twice")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError(f"{where}: an indicator is named twice")
        if self.indicators and self.method != "polyreg":
            raise ValueError(f"{where}: several indicator columns need the method 'polyreg'")
        if self.donors < 1:
            raise ValueError(f"{where}: the donor pool needs at least one donor")
        if self.bounds is not None and not self.bounds[0] <= self.bounds[1]:
            raise ValueError(f"{where}: the lower bound lies above the upper bound")

    @property
    def columns(self) -> tuple[int, ...]:
        """All columns of the variable."""
        return (self.target, *self.indicators)


@dataclass(frozen=True)
class Derived:
    """A column that follows from others.

    Parameters
    ----------
    target : int
        The column. Rows in which a part is missing are computed again inside the chains, whatever
        stood there; in the others a given value stays and a missing one is computed.
    parts : tuple of int
        What it is computed from; derived columns among them must come earlier.
    function : callable
        Takes values of the parts, shape (rows, number of parts), and returns (rows,).
    quick : callable, optional
        The same up to rounding, for use inside the chains; the result has what `function` gives.
    """

    target: int
    parts: tuple[int, ...]
    function: Callable[[np.ndarray], np.ndarray]
    quick: Callable[[np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class Imputed:
    """Completed data and the history of the chains.

    Attributes
    ----------
    values : ndarray, shape (m, n, v)
        Completed data; observed values are bit for bit those given.
    chain_mean, chain_sd : ndarray, shape (iterations, v, m)
        Mean and standard deviation (divisor n - 1) of the imputed values of each column of the data
        after each iteration; NaN where nothing was imputed (for the SD: fewer than two values).
    ridged : ndarray of int, shape (v,)
        In how many of the ``iterations * m`` draws of a variable the ridge was needed.
    """

    values: np.ndarray
    chain_mean: np.ndarray
    chain_sd: np.ndarray
    ridged: np.ndarray


def check_arguments(
    data: np.ndarray,
    plan: Sequence[Conditional],
    derived: Sequence[Derived],
    fixed: np.ndarray,
    m: int,
    iterations: int,
) -> None:
    """Refuse data and plans that cannot be imputed from.

    Parameters
    ----------
    data, plan, derived, fixed, m, iterations
        As given to `ccp_analysis.imputation.chained.impute`, the arrays as floats.

    Raises
    ------
    ValueError
        In one plain sentence.
    """
    if m < 1 or iterations < 1:
        raise ValueError("at least one imputation and one iteration are needed")
    if data.ndim != 2 or fixed.ndim != 2 or len(fixed) != len(data):
        raise ValueError("data and fixed columns must be tables with the same number of rows")
    if np.isinf(data).any() or not np.isfinite(fixed).all():
        raise ValueError("data must be finite or NaN, fixed columns finite throughout")
    columns = range(data.shape[1])
    targets = [column for c in plan for column in c.columns]
    computed = [d.target for d in derived]
    for column in {*targets, *computed, *(p for c in plan for p in c.predictors)}:
        if column not in columns:
            raise ValueError(f"the plan names column {column}, but there are {len(columns)}")
    if len(set(targets + computed)) < len(targets + computed):
        raise ValueError("a column is the target of two conditional models")
    missing = np.isnan(data)
    for c in plan:
        if missing[:, c.target].all():
            raise ValueError(f"column {c.target} cannot be imputed: it has no observed value")
        _check_categories(c, data, missing)
        for column in c.predictors:
            if missing[:, column].any() and column not in targets + computed:
                raise ValueError(
                    f"column {column}, a predictor of column {c.target}, has missing values that "
                    "no conditional model imputes"
                )
    for position, d in enumerate(derived):
        for part in d.parts:
            if part in computed[position:]:
                raise ValueError(f"derived column {d.target} has a part that is derived after it")
            if part not in columns or (
                missing[:, part].any() and part not in targets + computed[:position]
            ):
                raise ValueError(
                    f"derived column {d.target} has the part {part}, whose missing values no "
                    "conditional model imputes"
                )


def _check_categories(c: Conditional, data: np.ndarray, missing: np.ndarray) -> None:
    own = data[~missing[:, c.target]][:, c.columns]
    if c.method == "logreg" and len(np.unique(own)) > 2:
        raise ValueError(f"column {c.target} has more than two values: 'logreg' needs two")
    if c.method == "polyreg":
        together = (missing[:, c.columns] == missing[:, [c.target]]).all()
        if not together or not np.isin(own, (0.0, 1.0)).all() or (own.sum(axis=1) > 1).any():
            raise ValueError(
                f"the columns of {c.target} must be indicators, 0 or 1, of which at most one is 1, "
                "and missing together"
            )
