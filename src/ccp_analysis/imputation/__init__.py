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
from :math:`\beta_*`.

References
----------
Little RJA (1988). Missing-data adjustments in large surveys. J Bus Econ Stat 6:287-296.
Morris TP, White IR, Royston P (2014). Tuning multiple imputation by predictive mean matching and
local residual draws. BMC Med Res Methodol 14:75.
Rubin DB (1987). Multiple Imputation for Nonresponse in Surveys. Wiley.
van Buuren S, Groothuis-Oudshoorn K (2011). mice: Multivariate Imputation by Chained Equations in R.
J Stat Softw 45(3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Conditional:
    """The conditional model of one incomplete variable.

    Parameters
    ----------
    target : int
        Column to impute.
    predictors : tuple of int
        Columns it is imputed from, beside the fixed columns; complete or themselves imputed.
    method : {"norm", "pmm"}
        Bayesian linear regression, or predictive mean matching.
    donors : int
        Size of the donor pool of ``pmm``.
    bounds : tuple of float, optional
        Lowest and highest value; draws of ``norm`` outside are set to the nearer of the two.
        Without it they are unbounded. Values by ``pmm`` are observed ones and need none.

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

    def __post_init__(self) -> None:
        where = f"conditional model of column {self.target}"
        if self.method not in ("norm", "pmm"):
            raise ValueError(f"{where}: method must be 'norm' or 'pmm', not '{self.method}'")
        if self.target in self.predictors:
            raise ValueError(f"{where}: the column cannot be its own predictor")
        if len(set(self.predictors)) < len(self.predictors):
            raise ValueError(f"{where}: a predictor is named twice")
        if self.donors < 1:
            raise ValueError(f"{where}: the donor pool needs at least one donor")
        if self.bounds is not None and not self.bounds[0] <= self.bounds[1]:
            raise ValueError(f"{where}: the lower bound lies above the upper bound")


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
    data: np.ndarray, plan: Sequence[Conditional], fixed: np.ndarray, m: int, iterations: int
) -> None:
    """Refuse data and plans that cannot be imputed from.

    Parameters
    ----------
    data, plan, fixed, m, iterations
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
    targets = [c.target for c in plan]
    if len(set(targets)) < len(targets):
        raise ValueError("a column is the target of two conditional models")
    missing = np.isnan(data)
    for c in plan:
        for column in (c.target, *c.predictors):
            if column not in columns:
                raise ValueError(f"the plan names column {column}, but there are {len(columns)}")
        if missing[:, c.target].all():
            raise ValueError(f"column {c.target} cannot be imputed: it has no observed value")
        for column in c.predictors:
            if missing[:, column].any() and column not in targets:
                raise ValueError(
                    f"column {column}, a predictor of column {c.target}, has missing values that "
                    "no conditional model imputes"
                )
