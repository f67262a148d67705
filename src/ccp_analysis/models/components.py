"""What few groups say of the variances between and within them, as a posterior distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy
from scipy.special import gammaincc, log_expit

from ccp_analysis.models.intraclass import Strata

# Nodes of the quadrature: their distance, and how far out they go.
STEP, REACH = 1.0 / 32.0, 4.2
FLAT = (1.0, 1.0)


@dataclass(frozen=True)
class Components:
    """Posterior of the total variance and of the share of it that lies between groups.

    Given the intraclass correlation, the precision 1 / (var_group + var_resid) is gamma distributed
    with a shape and a rate.

    Attributes
    ----------
    icc : numpy.ndarray
        Nodes of the intraclass correlation, in [0, 1), shape (k,).
    weights : numpy.ndarray
        Their posterior probabilities, shape (k,), of sum 1.
    shape : float
        Half the degrees of freedom.
    rate : numpy.ndarray
        Squared units of the outcome, shape (k,).
    log_density : callable, optional
        Of log icc and log (1 - icc), up to a constant; None where people are not in groups.
    """

    icc: np.ndarray
    weights: np.ndarray
    shape: float
    rate: np.ndarray
    log_density: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    def scaled(self, factor: float) -> Components:
        """Return the same of an outcome whose variance is `factor` times as large."""
        return replace(self, rate=factor * self.rate)

    def icc_quantile(self, probability: float) -> float:
        """Return a quantile of the intraclass correlation; 0 where people are not in groups."""
        if self.log_density is None:
            return 0.0
        return float(
            scipy.optimize.brentq(
                lambda top: self._below(top) - probability, 1e-12, 1.0, xtol=1e-12
            )
        )

    def sd_quantile(self, probability: float) -> float:
        """Return a quantile of the total standard deviation, in units of the outcome."""

        def below(log_variance: float) -> float:
            return float(self.weights @ gammaincc(self.shape, self.rate / np.exp(log_variance)))

        middle = np.log(self.weights @ self.rate / self.shape)
        found = scipy.optimize.brentq(
            lambda v: below(v) - probability, middle - 30.0, middle + 30.0, xtol=1e-12
        )
        return float(np.exp(found / 2.0))

    @property
    def icc_mean(self) -> float:
        """Posterior mean of the intraclass correlation."""
        return float(self.weights @ self.icc)

    def _below(self, top: float) -> float:
        """Return the posterior probability of an intraclass correlation below `top`."""
        assert self.log_density is not None
        log_share, _, log_weight = _nodes()
        log_icc = np.log(top) + log_share
        density = self.log_density(log_icc, np.log1p(-np.exp(np.minimum(log_icc, -1e-16))))
        return float(np.exp(density + log_weight + np.log(top) - self._log_total).sum())

    @cached_property
    def _log_total(self) -> float:
        assert self.log_density is not None
        log_icc, log_rest, log_weight = _nodes()
        return float(np.logaddexp.reduce(self.log_density(log_icc, log_rest) + log_weight))


def _nodes(step: float = STEP) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logarithms of nodes in (0, 1), of what they lack of 1, and of their weights.

    The doubly exponential formula (Takahasi & Mori 1974, Publ RIMS 9:721-741): x = expit(pi sinh t)
    at even distances of t. Powers of x and 1 - x at the ends do it no harm.
    """
    t = np.arange(-REACH, REACH + step / 2.0, step)
    logit = np.pi * np.sinh(t)
    low, high = log_expit(logit), log_expit(-logit)
    return low, high, low + high + np.log(np.pi * np.cosh(t) * step)


def components(parts: Strata, prior: tuple[float, float] = FLAT) -> Components:
    """Return the posterior of the variances of y = X b + Z u + e.

    Parameters
    ----------
    parts : Strata
        Sums of squares of one table.
    prior : tuple of float
        Of the beta distribution of the intraclass correlation; (1, 1) is flat on [0, 1).

    Returns
    -------
    Components

    Raises
    ------
    ValueError
        If there is no variance within groups, or more than one table.

    Notes
    -----
    With tau^2 = var_group + var_resid, rho = var_group / tau^2 and l_i = 1 - rho + d_i rho, the
    t_i of `Strata` are independent N(0, tau^2 l_i) and its sum within groups is tau^2 (1 - rho)
    times chi-square: the restricted likelihood, exactly. With Jeffreys' prior 1 / tau^2, nu the
    degrees of freedom in all and

        S(rho) = sum t_i^2 / l_i + within / (1 - rho)

    1 / tau^2 given rho is gamma with shape nu / 2 and rate S(rho) / 2, and

        p(rho | y) = prior prod l_i^(-1/2) (1 - rho)^(-df_within / 2) S(rho)^(-nu / 2)

    up to a constant (Box & Tiao 1973, section 5.2, with unequal groups; priors of an intraclass
    correlation: Spiegelhalter 2001, Stat Med 20:435-452; Turner, Thompson & Spiegelhalter 2005,
    Clin Trials 2:108-118). The flat prior keeps the density finite at zero, where a prior of 1 /
    var_group would not.

    Examples
    --------
    Of the batches of dyestuff in `fit_random_intercept`: five degrees of freedom between them leave
    the correlation anywhere.

    >>> import numpy as np
    >>> from ccp_analysis.models.components import components
    >>> from ccp_analysis.models.intraclass import strata
    >>> from ccp_analysis.models.ols import fit_ols
    >>> yields = [
    ...     [1545, 1440, 1440, 1520, 1580], [1540, 1555, 1490, 1560, 1495],
    ...     [1595, 1550, 1605, 1510, 1560], [1445, 1440, 1595, 1465, 1545],
    ...     [1595, 1630, 1515, 1635, 1625], [1520, 1455, 1450, 1480, 1445],
    ... ]
    >>> batch = np.repeat(range(6), 5)
    >>> known = components(strata(fit_ols(np.ones((30, 1)), np.ravel(yields)), batch))
    >>> print(*(round(known.icc_quantile(p), 2) for p in (0.025, 0.5, 0.975)))
    0.1 0.43 0.79
    """
    squares, values = parts.squares.reshape(-1, parts.squares.shape[-1]), parts.values
    least = np.finfo(float).eps * squares.sum()
    if len(squares) != 1 or not parts.within[0] > least:
        raise ValueError("a posterior of variances needs one table with variance within groups")
    kept = values[0] > 0.0
    squares, values = squares[0][kept], values[0][kept]
    within, df_within = float(parts.within[0]), parts.df_within
    shape = (parts.df_between + df_within) / 2.0

    def lengths(log_icc: np.ndarray, log_rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spread = np.exp(log_rest)[:, None] + values * np.exp(log_icc)[:, None]
        return spread, (squares / spread).sum(axis=-1) + within * np.exp(-log_rest)

    def log_density(log_icc: np.ndarray, log_rest: np.ndarray) -> np.ndarray:
        spread, total = lengths(log_icc, log_rest)
        found = (prior[0] - 1.0) * log_icc + (prior[1] - 1.0 - df_within / 2.0) * log_rest
        return np.asarray(found - 0.5 * np.log(spread).sum(axis=-1) - shape * np.log(total))

    log_icc, log_rest, log_weight = _nodes()
    logs = log_density(log_icc, log_rest) + log_weight
    weights = np.exp(logs - logs.max())
    rate = lengths(log_icc, log_rest)[1] / 2.0
    return Components(np.exp(log_icc), weights / weights.sum(), shape, rate, log_density)


def alone(squares: float, df: int) -> Components:
    """Return the posterior of a variance of people who are in no groups.

    Parameters
    ----------
    squares : float
        Residual sum of squares.
    df : int
        Its degrees of freedom.

    Returns
    -------
    Components
        With the intraclass correlation 0; the prior is Jeffreys', 1 / variance.

    Raises
    ------
    ValueError
        If there is no variance, or no degree of freedom.
    """
    if not (squares > 0.0 and df > 0):
        raise ValueError("a posterior of a variance needs people who vary")
    return Components(np.zeros(1), np.ones(1), df / 2.0, np.array([squares / 2.0]))
