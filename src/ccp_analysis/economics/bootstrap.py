r"""The two-stage bootstrap of costs and effects, with one imputation per draw.

Each draw resamples units (pairs of clusters) and the people of their clusters, here called teams,
imputes the incomplete data set that results (`ccp_analysis.imputation.resampled`), and estimates
the adjusted differences of cost and effect between the arms by least squares on arm, unit of the
draw, and covariates.

Resampled as they stand, the differences would vary too much: means of teams already vary by chance
between their people, and the second stage adds that once more. So means of clusters are shrunken,
until the two stages together have the variance of the design, and what lies within is inflated, as
n people drawn from n vary too little by the factor 1 - 1/n (Davison & Hinkley 1997, section 3.8
and p. 100; Gomes et al. 2012; Ng, Grieve & Carpenter 2013). With coefficients b and residuals e of
the fit to the original data, the outcome of a person of team j in a completed draw is decomposed as
:math:`x'b + \bar e_j + w` and analysed as

.. math:: x'b + K \bar e_j + w / \sqrt{1 - 1/n_j}

The factor of the books is that of one sample of clusters. Here every unit holds both arms and the
model has an effect of each unit: what varies between units is the difference between their arms, on
as many degrees of freedom as there are units but one. The adjusted difference is :math:`a'y`, where
a is a row of :math:`(X'X)^{-1}X'`; drawing units changes it, to first order, by sums of
:math:`r_p = a_p' (M Z \bar e)_p`, with M the residual maker and Z the indicators of teams: linear
functions :math:`g_p'y` of the outcomes. With :math:`\Sigma_u, \Sigma_e` the covariances of cost and
effect between teams and between people of a team, the variance that stage one gives is

.. math:: S = \sum_p r_p r_p', \quad E[S] = A \Sigma_u + N, \quad A = \sum_p |Z'g_p|^2, \quad
    N = \sum_p |g_p|^2 \, \Sigma_e

and :math:`\kappa \Sigma_u`, :math:`\kappa = |Z'a|^2`, what it should give. So K is chosen such that
:math:`K S K' = (\kappa / A) (S - N)`. For one outcome and P balanced pairs
:math:`\kappa / A = P/(P - 1)`, and K is Davison & Hinkley's factor for the P differences. With two
outcomes it is applied to the canonical variates of S in the metric of N, each at least zero
(Amemiya 1985): cost and effect then have the right covariance too, and the net benefit at any
threshold is treated as if it had been the outcome. Where outcomes are missing, the mean of a team
rests on the people observed, and N is larger.

S - N has the right expectation, its positive part a larger one: where teams do not differ, the
variance is overstated, by some 40 % with five pairs. Where they do, percentiles know nothing of the
few degrees of freedom, and cover too little. ``benchmarks/bootstrap_of_trusts.py`` measures both.

References
----------
Amemiya Y (1985). What should be done when an estimated between-group covariance matrix is not
nonnegative definite? Am Stat 39:112-117.
Davison AC, Hinkley DV (1997). Bootstrap Methods and their Application. Cambridge University Press.
Gomes M, Ng ES-W, Grieve R, Nixon R, Carpenter J, Thompson SG (2012). Developing appropriate methods
for cost-effectiveness analysis of cluster randomized trials. Med Decis Making 32:350-361.
Ng ES-W, Grieve R, Carpenter JR (2013). Two-stage nonparametric bootstrap sampling with shrinkage
correction for clustered data. Stata J 13:141-164.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ccp_analysis.groups import groups
from ccp_analysis.imputation.resampled import TwoStage, gather, impute_resampled, two_stage
from ccp_analysis.models.absorbed import fit_absorbed, with_indicators
from ccp_analysis.models.ols import fit_ols

# Places (people, padding included) times columns of one block of draws: 24 MB an array.
_BLOCK = 3_000_000
_MOST = 250
_REDUNDANT = 1e-10  # eigenvalue of a correlation matrix below which a direction is redundant


@dataclass(frozen=True)
class Draws:
    """Differences between the arms in the draws of a bootstrap.

    Attributes
    ----------
    cost, effect : numpy.ndarray, shape (B,)
        Active less reference arm. Draws that do not identify it are left out.
    shrinkage : numpy.ndarray, shape (2, 2)
        K: by which pairs (cost, effect) of residual team means were multiplied from the left.
    failed : int
        Draws left out.
    """

    cost: np.ndarray
    effect: np.ndarray
    shrinkage: np.ndarray
    failed: int


def two_stage_bootstrap(
    data: np.ndarray,
    completed: np.ndarray,
    *,
    weights: np.ndarray,
    offsets: np.ndarray,
    adjust: Sequence[int],
    arm: np.ndarray,
    team: np.ndarray | None = None,
    pair: np.ndarray | None = None,
    draws: int = 5000,
    iterations: int = 5,
    rng: np.random.Generator | None = None,
    rows: np.ndarray | None = None,
    shrink: bool = True,
    threads: int = 1,
) -> Draws:
    """Bootstrap the adjusted differences in cost and effect between two arms.

    Parameters
    ----------
    data : array_like, shape (n, v)
        What was observed, NaN where missing; also columns that only help to impute.
    completed : array_like, shape (m, n, v)
        The same columns in the imputations of the main analysis, from which come the residuals
        (averaged) and the point of reference: a draw of everybody once gives the pooled estimate.
    weights : array_like, shape (2, n, v)
        Cost and effect of each person as linear functions of the columns. With months between two
        interviews t, the effect in years has t / 24 in both columns of utility; whoever died has 0
        at the second.
    offsets : array_like, shape (2, n)
        What is added to these, such as a person's share of the intervention's cost.
    adjust : sequence of int
        Columns that both outcomes are adjusted for: baseline cost and utility, covariates.
    arm : array_like, shape (n,)
        1 in the active arm, 0 in the reference arm.
    team, pair : array_like of int, shape (n,), optional
        Team of each person, and the unit that holds teams of both arms. Without them people are
        drawn within arms.
    draws : int
        Number of draws.
    iterations : int
        Rounds of imputation in each.
    rng : numpy.random.Generator, optional
        Source of randomness. Blocks of draws have streams of their own, spawned from it, so that
        the result does not depend on `threads`. Needed unless `rows` are given and nothing is
        missing.
    rows : array_like of int, shape (B, S, L), optional
        Resampled rows, laid out as by `ccp_analysis.imputation.resampled.TwoStage.draw`, instead of
        random ones.
    shrink : bool
        Whether to correct the two stages as above; if not, data sets are analysed as drawn.
    threads : int
        Threads at work.

    Returns
    -------
    Draws

    Raises
    ------
    ValueError
        If the shapes do not fit, there is but one pair, the original design has dependent columns,
        data cannot be imputed, or no draw identifies the difference.
    """
    given = (data, completed, weights, offsets, arm)
    data, completed, weights, offsets, arm = (np.asarray(one, dtype=float) for one in given)
    _check(data, completed, weights, offsets, arm)
    if (team is None) != (pair is None):
        raise ValueError("Teams and pairs are given together or not at all.")
    if team is None or pair is None:
        team, pair = arm.astype(int), np.zeros(len(arm), dtype=int)
    elif len(groups(pair).names) < 2:
        raise ValueError("At least two pairs of teams are needed to draw pairs.")
    design = two_stage(team, pair)
    columns = np.asarray(adjust, dtype=int)
    estimate = _Estimate(completed, weights, offsets, columns, arm, np.asarray(pair))
    known = ~np.isnan(data)
    measured = np.stack([(known | (weight == 0)).all(axis=1) for weight in weights])
    K = estimate.correct(np.asarray(team), measured) if shrink else np.eye(2)
    size = data.shape[1] * design.units.size * design.members.shape[1]
    block = int(np.clip(_BLOCK // size, 1, _MOST))
    count = draws if rows is None else len(rows)
    starts = range(0, count, block)
    streams = [None] * len(starts) if rng is None else rng.spawn(len(starts))
    if rng is None and (rows is None or not known.all()):
        raise ValueError("Random draws or imputations need a generator of random numbers.")
    units = len(design.units)

    def one(start: int, stream: np.random.Generator) -> np.ndarray:
        number = min(block, count - start)
        picked = design.draw(number, stream) if rows is None else rows[start : start + number]
        values = impute_resampled(data, picked, iterations=iterations, rng=stream)
        return estimate.differences(values, picked, units)

    with ThreadPoolExecutor(threads) as pool:
        found = np.concatenate(list(pool.map(one, starts, streams)))
    found += estimate.pooled - estimate.reference(completed, design)
    usable = np.isfinite(found).all(axis=1)
    if not usable.any():
        raise ValueError("No draw identifies the difference between the arms.")
    cost, effect = found[usable].T
    return Draws(cost.copy(), effect.copy(), K, int((~usable).sum()))


class _Estimate:
    """Adjusted differences of draws, relative to the fit of the original data.

    Attributes
    ----------
    pooled : ndarray, shape (2,)
        Differences in the original data, averaged over the imputations.
    between, within : ndarray, shapes (n, 2), (n,)
        Of each person, what stands for the team's mean residual, and the factor of what is left.
    """

    def __init__(
        self,
        completed: np.ndarray,
        weights: np.ndarray,
        offsets: np.ndarray,
        adjust: np.ndarray,
        arm: np.ndarray,
        pair: np.ndarray,
    ) -> None:
        self.weights, self.offsets, self.adjust, self.arm = weights, offsets, adjust, arm
        pairs = groups(pair)
        self.pair = pairs.codes
        covariates = completed[..., adjust]
        self.centre, spread = covariates.mean(axis=(0, 1)), covariates.std(axis=(0, 1))
        self.scale = np.where(spread > 0, spread, 1.0)
        self.covariates = (covariates - self.centre) / self.scale
        self.fixed = np.column_stack([np.ones(len(arm)), arm, pairs.indicators[:, 1:]])
        self.y = np.einsum("knv,mnv->kmn", weights, completed) + offsets[:, None]
        coef, residuals = self._coefficients()
        self.pooled = coef[..., 1].mean(axis=1)
        coef = coef.mean(axis=1)
        self.slopes = coef[:, self.fixed.shape[1] :]
        self.fitted = self.fixed @ coef[:, : self.fixed.shape[1]].T
        self.residuals = residuals.mean(axis=1)
        self.between, self.within = np.zeros((len(arm), 2)), np.ones(len(arm))
        self.removed = self.fitted

    def _coefficients(self) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients (2, m, p) of the original data, and residuals (2, m, n)."""
        lead = np.broadcast_to(self.fixed[:, :2], (*self.covariates.shape[:2], 2))
        own = np.concatenate([lead, self.covariates], axis=2)
        fit = fit_absorbed(own, self.y, self.pair) if self.pair.any() else None
        if fit is None or fit.absorbed is None:
            fit = fit_ols(with_indicators(own, self.pair), self.y)
            level, between = fit.coef[..., :1], fit.coef[..., own.shape[-1] :]
        else:
            level = fit.absorbed.effects[..., :1]
            between = fit.absorbed.effects[..., 1:] - level
        slopes = fit.coef[..., 2 : own.shape[-1]]
        return np.concatenate([level, fit.coef[..., 1:2], between, slopes], axis=-1), fit.residuals

    def correct(self, team: np.ndarray, measured: np.ndarray) -> np.ndarray:
        """Set the parts between and within teams; return K.

        Parameters
        ----------
        team : ndarray of int, shape (n,)
            Team of each person.
        measured : ndarray of bool, shape (2, n)
            Whose cost and effect were observed.
        """
        teams = groups(team)
        team, Z = teams.codes, teams.indicators
        sizes = Z.sum(axis=0)
        means = self.residuals @ Z / sizes
        X = np.concatenate([self.fixed, self.covariates.mean(axis=0)], axis=1)
        basis = _basis(X)
        a = np.linalg.pinv(X)[1]
        split = a * np.equal.outer(np.arange(self.pair.max() + 1), self.pair)
        on_means = (split - split @ basis @ basis.T) @ Z
        r = on_means @ means.T
        g = []
        for seen in measured:
            people = np.maximum(Z.T @ seen, 1)
            through = (on_means / people) @ Z.T * seen
            own = _basis(X * seen[:, None])
            g.append(through - through @ own @ own.T)
        A = np.mean([np.square(part @ Z).sum() for part in g])
        N = np.array([[(one * other).sum() for other in g] for one in g])
        N *= self._covariance_within(Z)
        kappa = np.square(a @ Z).sum()
        K = _shrinkage(r.T @ r, N, kappa / A) if kappa < 1e12 * A else np.zeros((2, 2))
        self.between = (K @ means).T[team]
        self.removed = self.fitted + means.T[team]
        self.within = np.where(sizes > 1, 1 / np.sqrt(1 - 1 / np.maximum(sizes, 2)), 1.0)[team]
        return K

    def _covariance_within(self, Z: np.ndarray) -> np.ndarray:
        """Covariance of cost and effect between the people of a team (2, 2), covariates given."""
        m, n, _ = self.covariates.shape
        to_means = Z / Z.sum(axis=0)
        x = self.covariates - Z @ (to_means.T @ self.covariates)
        y = self.y - (self.y @ to_means) @ Z.T
        left = y - (x @ (np.linalg.pinv(x) @ y[..., None]))[..., 0]
        df = n - Z.shape[1] - np.linalg.matrix_rank(x[0])
        return np.einsum("amn,bmn->ab", left, left) / (m * max(df, 1))

    def differences(self, values: np.ndarray, rows: np.ndarray, units: int) -> np.ndarray:
        """Return the coefficients (B, 2) of the arm, less those of what is the same in all draws.

        Parameters
        ----------
        values : ndarray, shape (B, v, S L)
            Completed data sets.
        rows : ndarray of int, shape (B, S, L)
            Whose they are.
        units : int
            Units in a draw, of which each has an equal number of the slots.
        """
        draws, v, _ = values.shape
        flat = rows.reshape(draws, -1)
        there = (flat >= 0).astype(float)
        q = len(self.adjust)
        table = np.empty((draws, q + 3, flat.shape[1]))
        table[:, 0] = self.arm[flat]
        covariates = table[:, 1 : q + 1]
        covariates[:] = values[:, self.adjust]
        covariates -= self.centre[:, None]
        covariates /= self.scale[:, None]
        for k in range(2):
            outcome = (self.offsets[k] - self.removed[:, k])[flat]
            for column in range(v):
                weight = self.weights[k, :, column]
                if weight.any():
                    outcome += weight[flat] * values[:, column]
            outcome -= (self.slopes[k][None, None] @ covariates)[:, 0]
            outcome *= self.within[flat]
            outcome += self.between[:, k][flat]
            table[:, q + 1 + k] = outcome
        table *= there[:, None]
        number = np.maximum(there.reshape(draws, units, -1).sum(axis=2), 1)
        sums = table.reshape(draws, q + 3, units, -1).sum(axis=3)
        gram = table @ table.swapaxes(1, 2) - (sums / number[:, None]) @ sums.swapaxes(1, 2)
        return _arm_coefficients(gram, q, there.sum(axis=1))

    def reference(self, completed: np.ndarray, design: TwoStage) -> np.ndarray:
        """Return `differences` (2,) of everybody once, averaged over the imputations."""
        rows, units = design.everybody(), len(design.units)
        return np.mean(
            [self.differences(gather(table, rows), rows, units)[0] for table in completed], axis=0
        )


def _arm_coefficients(gram: np.ndarray, q: int, people: np.ndarray) -> np.ndarray:
    """Coefficients (B, 2) of the first column, q others given, from cross-products within units.

    Covariates are swept out first (Frisch & Waugh 1933); a direction of them that does not vary in
    a draw counts as absent there. NaN where nothing is left of the arm.
    """
    square = np.diagonal(gram, axis1=1, axis2=2)[:, 1 : q + 1]
    varies = square > _REDUNDANT * people[:, None]  # standardised over everybody
    scale = np.where(varies, 1 / np.sqrt(np.where(varies, square, 1.0)), 0.0)
    value, vector = np.linalg.eigh(
        gram[:, 1 : q + 1, 1 : q + 1] * scale[:, :, None] * scale[:, None]
    )
    kept = value > _REDUNDANT
    root = np.where(kept, 1 / np.sqrt(np.where(kept, value, 1.0)), 0.0)
    turned = vector.swapaxes(1, 2) @ (scale[:, :, None] * gram[:, 1 : q + 1])
    turned *= root[:, :, None]
    arm = turned[:, :, :1]
    left = gram[:, 0, 0] - np.square(arm[:, :, 0]).sum(axis=1)
    scores = gram[:, 0, q + 1 :] - (arm * turned[:, :, q + 1 :]).sum(axis=1)
    identified = left > _REDUNDANT * gram[:, 0, 0]
    return np.where(identified[:, None], scores / np.where(identified, left, 1.0)[:, None], np.nan)


def _shrinkage(S: np.ndarray, N: np.ndarray, ratio: float) -> np.ndarray:
    """Return K (2, 2): K S K' is the positive part, in the metric of N, of ratio (S - N)."""
    unit = np.sqrt(np.where(np.diag(N) > 0, np.diag(N), np.maximum(np.diag(S), 0.0)))
    unit = np.where(unit > 0, unit, 1.0)
    lower = np.linalg.cholesky(N / np.outer(unit, unit) + 1e-10 * np.eye(2))
    inverse = np.linalg.inv(lower)
    share, vector = np.linalg.eigh(inverse @ (S / np.outer(unit, unit)) @ inverse.T)
    factor = np.sqrt(ratio * np.maximum(0.0, 1 - 1 / np.maximum(share, 1.0)))
    inner = lower @ (vector * factor) @ vector.T @ inverse
    return unit[:, None] * inner / unit


def _basis(X: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the columns of X, however many are independent."""
    length = np.sqrt(np.square(X).sum(axis=0))
    left, size, _ = np.linalg.svd(X / np.where(length > 0, length, 1.0), full_matrices=False)
    return left[:, size > 1e-8]


def _check(
    data: np.ndarray,
    completed: np.ndarray,
    weights: np.ndarray,
    offsets: np.ndarray,
    arm: np.ndarray,
) -> None:
    n, v = data.shape
    if completed.shape[1:] != (n, v) or weights.shape != (2, n, v) or offsets.shape != (2, n):
        raise ValueError(
            "Data (n, v), completed data (m, n, v), weights (2, n, v) and offsets (2, n) do not "
            f"fit: {data.shape}, {completed.shape}, {weights.shape}, {offsets.shape}."
        )
    if not (np.isfinite(completed).all() and np.isfinite(weights).all()):
        raise ValueError("Completed data and weights must be finite.")
    if not np.isfinite(offsets).all():
        raise ValueError("Offsets must be finite.")
    if arm.shape != (n,) or set(np.unique(arm)) != {0.0, 1.0}:
        raise ValueError("The arm must be 0 or 1 for each person, and both must occur.")
