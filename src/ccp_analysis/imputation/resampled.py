r"""Two-stage resampling of clustered people, and one imputation of every resampled data set.

Boot-then-impute (Brand et al. 2019; Bartlett & Hughes 2020): the incomplete data are resampled, and
every resampled data set, still incomplete, is imputed by itself, so that the bootstrap sees the
sampling and the missing values together. Stage one draws units (pairs of clusters: the smallest
that hold both arms) with replacement, stage two the people of each of their clusters, here called
teams; a unit drawn twice is two units with teams of their own.

All draws are imputed together: they are laid out alike, as slots (the teams of a draw) of places
(people, padded to the largest team), so that an update of one variable is a handful of stacked
products, whatever the number of draws.

References
----------
Bartlett JW, Hughes RA (2020). Bootstrap inference for multiple imputation under uncongeniality and
misspecification. Stat Methods Med Res 29:3533-3546.
Brand J, van Buuren S, le Cessie S, van den Hout W (2019). Combining multiple imputation and
bootstrap in the analysis of cost-effectiveness trial data. Stat Med 38:210-220.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.groups import groups

_CONSTANT = 1e-10  # variance, in squared standard deviations, below which a column is constant
_REDUNDANT = 1e-6  # eigenvalue of a correlation matrix below which a direction is redundant
_EXACT_FIT = 1e-9  # a residual share below this is round-off: the residual variance is zero


@dataclass(frozen=True)
class TwoStage:
    """Who is in which team, and which teams are drawn together.

    Attributes
    ----------
    members : numpy.ndarray of int, shape (G + 1, L)
        Rows of each team, -1 from its size on; the last line is a team of nobody.
    sizes : numpy.ndarray of int, shape (G + 1,)
        People of each team.
    units : numpy.ndarray of int, shape (P, K)
        Teams of each unit of the first stage, G where a unit has fewer than K.
    """

    members: np.ndarray
    sizes: np.ndarray
    units: np.ndarray

    def everybody(self) -> np.ndarray:
        """Return the rows of the original data in the layout of one draw, shape (1, P K, L)."""
        return self.members[self.units].reshape(1, self.units.size, -1)

    def draw(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw units, then the people of their teams, each with replacement.

        Parameters
        ----------
        draws : int
            Number of data sets B.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        numpy.ndarray of int, shape (B, P K, L)
            Row of each place, -1 where there is none; K slots for each unit drawn.
        """
        count = len(self.units)
        teams = self.units[rng.integers(0, count, (draws, count))].reshape(draws, -1)
        sizes = self.sizes[teams][..., None]
        length = self.members.shape[1]
        place = (rng.random((*teams.shape, length)) * sizes).astype(int)
        place = np.where(np.arange(length) < sizes, place, length - 1)
        rows = self.members[teams[..., None], place]
        return np.where(np.arange(length) < sizes, rows, -1)


def two_stage(team: np.ndarray, unit: np.ndarray) -> TwoStage:
    """Read who is in which team and unit.

    Parameters
    ----------
    team, unit : array_like of int, shape (n,)
        Codes, in any order; a team belongs to one unit.

    Returns
    -------
    TwoStage

    Raises
    ------
    ValueError
        If a team belongs to two units.
    """
    teams = groups(team)
    of_team = teams.within(groups(unit))
    return TwoStage(*_padded(teams.codes), _padded(of_team)[0][:-1] % (len(of_team) + 1))


def _padded(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of each code, padded with -1, and a last line without any; and counts."""
    sizes = np.append(np.bincount(codes), 0)
    members = np.full((len(sizes), sizes.max()), -1)
    members[np.arange(sizes.max()) < sizes[:, None]] = np.argsort(codes, kind="stable")
    return members, sizes


def gather(columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Lay out columns of the data as the draws are laid out.

    Parameters
    ----------
    columns : numpy.ndarray, shape (n, v)
        Data.
    rows : numpy.ndarray of int, shape (B, S, L)
        From `TwoStage.draw`.

    Returns
    -------
    numpy.ndarray, shape (B, v, S L)
        Zero at places where nobody is.
    """
    flat = rows.reshape(len(rows), -1)
    out = np.empty((len(rows), columns.shape[1], flat.shape[1]))
    for column, values in enumerate(np.vstack([columns, np.zeros((1, columns.shape[1]))]).T):
        out[:, column] = values[flat]
    return out


def impute_resampled(
    data: np.ndarray, rows: np.ndarray, *, iterations: int, rng: np.random.Generator
) -> np.ndarray:
    r"""Impute resampled data sets once each, all of them together.

    Parameters
    ----------
    data : array_like, shape (n, v)
        The original data, NaN where missing. Every incomplete column is imputed from all others.
    rows : numpy.ndarray of int, shape (B, S, L)
        Resampled rows: slots are teams, -1 where nobody is (`TwoStage.draw`).
    iterations : int
        Rounds over the incomplete columns, from left to right. Chains start from random draws of
        the values observed in the original data.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    numpy.ndarray, shape (B, v, S L)
        Completed data sets; observed values bit for bit those given, zero where nobody is.

    Raises
    ------
    ValueError
        If a column has no observed value, a value is infinite, or the chains diverge.

    Notes
    -----
    Bayesian linear regression with a flat prior (Rubin 1987, pp. 166-167) on the other columns and
    on indicators of the teams of the draw: with X and y centred within teams over the n1 people
    observed on y, in G1 teams, rank k,

    .. math:: \sigma_*^2 = RSS / \chi^2_{n_1 - G_1 - k},\quad
        \beta_* \sim N(\hat\beta, \sigma_*^2 (X'X)^{-1}),\quad
        \alpha_{j*} \sim N(\bar y_j - \bar x_j'\beta_*, \sigma_*^2 / n_{1j})

    with at least one degree of freedom. A team with nobody observed on y has the average of the
    effects, weighted by people. A direction on which the people of a draw tell nothing has the
    coefficient zero. A draw with nobody observed on y has the mean of the original data.
    """
    data = np.asarray(data, dtype=float)
    missing = np.isnan(data)
    if missing.all(axis=0).any():
        where = ", ".join(map(str, np.flatnonzero(missing.all(axis=0))))
        raise ValueError(f"Column {where} (from 0) has no observed value: it cannot be imputed.")
    if np.isinf(data).any():
        raise ValueError("The data must be finite, or NaN where missing.")
    values = gather(data, rows)
    targets = [
        _Target(column, data, rows) for column in np.flatnonzero(missing.any(axis=0)).tolist()
    ]
    targets = [target for target in targets if target.draw.size]
    if not targets:
        return values
    centre, scale = np.nanmean(data, axis=0), np.nanstd(data, axis=0)
    constant = np.nanmax(data, axis=0) == np.nanmin(data, axis=0)
    centre = np.where(constant, np.nanmax(data, axis=0), centre)
    scale = np.where(constant, 1.0, scale)
    work = gather((data - centre) / scale, rows)
    for target in targets:
        target.start(work, data, centre, scale, rng)
    for _ in range(iterations):
        for target in targets:
            target.update(work, rng)
    for target in targets:
        t = target.column
        new = centre[t] + scale[t] * work[target.draw, t, target.place]
        values[target.draw, t, target.place] = new
    if not np.isfinite(values).all():
        raise ValueError("The chains of the resampled data diverge: use fewer columns.")
    return values


class _Target:
    """One incomplete column, with all that stays the same over iterations.

    Attributes
    ----------
    draw, place : ndarray of int, shape (h,)
        Where its missing values are.
    seen : ndarray, shape (B, 1, S L)
        One where it is observed, else zero.
    counts, total : ndarray, shapes (B, S), (B,)
        People observed, by slot and together.
    """

    def __init__(self, column: int, data: np.ndarray, rows: np.ndarray) -> None:
        self.column, self.length = column, rows.shape[2]
        lost = np.append(np.isnan(data[:, column]), False)[rows]
        seen = (rows >= 0) & ~lost
        self.draw, self.place = np.nonzero(lost.reshape(len(rows), -1))
        self.seen = seen.reshape(len(rows), 1, -1).astype(float)
        self.counts = seen.sum(axis=2)
        self.total = self.counts.sum(axis=1)
        self.others = np.delete(np.arange(data.shape[1]), column)

    def start(
        self,
        work: np.ndarray,
        data: np.ndarray,
        centre: np.ndarray,
        scale: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        """Fill with random draws of the values observed in the original data."""
        t = self.column
        observed = data[~np.isnan(data[:, t]), t]
        drawn = observed[rng.integers(0, len(observed), len(self.draw))]
        work[self.draw, t, self.place] = (drawn - centre[t]) / scale[t]

    def update(self, work: np.ndarray, rng: np.random.Generator) -> None:
        """Draw the parameters of every data set, then its missing values."""
        beta, alpha, sigma = self.parameters(work, rng)
        there = work[self.draw, :, self.place]
        new = np.einsum("hv,hv->h", there, beta[self.draw])
        new += alpha[self.draw, self.place // self.length]
        new += sigma[self.draw] * rng.standard_normal(len(self.draw))
        work[self.draw, self.column, self.place] = new

    def parameters(
        self, work: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw coefficients (B, v), zero for the target, team effects (B, S) and sigma (B,)."""
        t, others = self.column, self.others
        draws, v, _ = work.shape
        seen = work * self.seen
        sums = seen.reshape(draws, v, -1, self.length).sum(axis=3)
        means = sums / np.maximum(self.counts, 1)[:, None]
        gram = seen @ work.swapaxes(1, 2) - sums @ means.swapaxes(1, 2)

        cross, square = gram[:, others, t], gram[:, others, others]
        alive = square > _CONSTANT * np.maximum(self.total, 1)[:, None]
        scale = np.where(alive, 1.0 / np.sqrt(np.where(alive, square, 1.0)), 0.0)
        value, vector = np.linalg.eigh(
            gram[:, others[:, None], others] * scale[:, :, None] * scale[:, None]
        )
        kept = value > _REDUNDANT
        inverse = np.where(kept, 1.0 / np.where(kept, value, 1.0), 0.0)
        score = (vector.swapaxes(1, 2) @ (scale * cross)[..., None])[..., 0]
        residual = gram[:, t, t] - (inverse * score**2).sum(axis=1)
        residual = np.where(residual < _EXACT_FIT * gram[:, t, t], 0.0, residual)
        df = self.total - (self.counts > 0).sum(axis=1) - kept.sum(axis=1)
        sigma = np.sqrt(residual / rng.chisquare(np.maximum(df, 1)))

        # The symmetric root, which unlike the eigenvectors is unique: the same on every processor.
        turned = rng.standard_normal((draws, 1, len(others))) @ vector
        turned = inverse * score + sigma[:, None] * np.sqrt(inverse) * turned[:, 0]
        beta = np.zeros((draws, v))
        beta[:, others] = scale * (vector @ turned[..., None])[..., 0]

        signed = -beta
        signed[:, t] = 1.0
        overall = sums.sum(axis=2) / np.maximum(self.total, 1)[:, None]
        nobody = self.counts == 0
        number = np.maximum(np.where(nobody, self.total[:, None], self.counts), 1)
        alpha = np.where(
            nobody, (signed * overall).sum(axis=1)[:, None], (signed[:, None] @ means)[:, 0]
        )
        alpha += sigma[:, None] / np.sqrt(number) * rng.standard_normal(number.shape)
        return beta, alpha, sigma
