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
    if not (missing[rows] & (rows >= 0)[..., None]).any():
        return values
    centre, scale = np.nanmean(data, axis=0), np.nanstd(data, axis=0)
    constant = np.nanmax(data, axis=0) == np.nanmin(data, axis=0)
    centre = np.where(constant, np.nanmax(data, axis=0), centre)
    scale = np.where(constant, 1.0, scale)
    people = _People((data - centre) / scale, rows)
    targets = [
        _Target(column, missing[:, column], rows, people)
        for column in np.flatnonzero(missing.any(axis=0)).tolist()
    ]
    targets = [target for target in targets if target.draw.size]
    for target in targets:
        t = target.column
        observed = data[~missing[:, t], t]
        target.start(people, (observed - centre[t]) / scale[t], rng)
    for _ in range(iterations):
        for target in targets:
            target.update(people, rng)
    for target in targets:
        t = target.column
        new = centre[t] + scale[t] * people.work[t, target.draw, target.at]
        values[target.draw, t, target.place] = new
    if not np.isfinite(values).all():
        raise ValueError("The chains of the resampled data diverge: use fewer columns.")
    return values


class _People:
    """The places of all draws: sums over the complete ones, and the values of the others.

    What is observed whole is the same in all rounds and for all columns to impute.

    Attributes
    ----------
    place : ndarray of int, shape (B, I)
        Places where something is missing, in ascending order; then any others, not `there`.
    work : ndarray, shape (v, B, I)
        Standardised values there, zero where none are meant.
    gram, sums : ndarray, shapes (B, v, v), (B, v, S)
        Cross-products, and sums by slot, over the complete places.
    """

    def __init__(self, data: np.ndarray, rows: np.ndarray) -> None:
        draws, slots, length = rows.shape
        whole = np.append(np.isfinite(data).all(axis=1), False)[rows]
        complete = gather(np.where(np.isfinite(data), data, 0.0), np.where(whole, rows, -1))
        self.gram = complete @ complete.swapaxes(1, 2)
        self.sums = complete.reshape(draws, data.shape[1], slots, length).sum(axis=3)
        partly = ((rows >= 0) & ~whole).reshape(draws, -1)
        most = int(partly.sum(axis=1).max())
        self.place = np.argsort(~partly, axis=1, kind="stable")[:, :most]
        self.there = np.take_along_axis(partly, self.place, axis=1)
        at = np.take_along_axis(rows.reshape(draws, -1), self.place, axis=1)
        self.work = np.where(self.there, data.T[:, at], 0.0)
        # Of each slot with such places where they begin; what is not meant lies behind, as zeros.
        slot = np.where(self.there, self.place // length, -1)
        own = np.arange(draws)[:, None] * slots + np.maximum.accumulate(slot, axis=1)
        keys = np.maximum(own, np.arange(draws)[:, None] * slots).ravel()
        self.starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        self.slots = keys[self.starts]

    def of_slots(self, values: np.ndarray) -> np.ndarray:
        """Sum (v, B, I) by slot: (B, v, S)."""
        v, draws, _ = values.shape
        out = np.zeros((v, draws * self.sums.shape[2]))
        out[:, self.slots] = np.add.reduceat(values.reshape(v, -1), self.starts, axis=1)
        return out.reshape(v, draws, -1).swapaxes(0, 1)


class _Target:
    """One incomplete column, with all that stays the same over iterations.

    Attributes
    ----------
    draw, place, at : ndarray of int, shape (h,)
        Where its missing values are, among all places and among those of `_People`.
    seen : ndarray, shape (B, I)
        One where it is observed of these, else zero.
    counts, total : ndarray, shapes (B, S), (B,)
        People observed, by slot and together.
    """

    def __init__(self, column: int, lost: np.ndarray, rows: np.ndarray, people: _People) -> None:
        self.column, self.length = column, rows.shape[2]
        gone = np.append(lost, False)[rows]
        self.counts = ((rows >= 0) & ~gone).sum(axis=2)
        self.total = self.counts.sum(axis=1)
        gone = np.take_along_axis(gone.reshape(len(rows), -1), people.place, axis=1) & people.there
        self.draw, self.at = np.nonzero(gone)
        self.place = people.place[self.draw, self.at]
        self.seen = (people.there & ~gone).astype(float)
        self.others = np.delete(np.arange(len(people.work)), column)

    def start(self, people: _People, observed: np.ndarray, rng: np.random.Generator) -> None:
        """Fill with random draws of the values observed in the original data."""
        drawn = observed[rng.integers(0, len(observed), len(self.draw))]
        people.work[self.column, self.draw, self.at] = drawn

    def update(self, people: _People, rng: np.random.Generator) -> None:
        """Draw the parameters of every data set, then its missing values."""
        beta, alpha, sigma = self.parameters(people, rng)
        there = people.work[:, self.draw, self.at]
        new = (there * beta.T[:, self.draw]).sum(axis=0)
        new += alpha[self.draw, self.place // self.length]
        new += sigma[self.draw] * rng.standard_normal(len(self.draw))
        people.work[self.column, self.draw, self.at] = new

    def parameters(
        self, people: _People, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw coefficients (B, v), zero for the target, team effects (B, S) and sigma (B,)."""
        t, others = self.column, self.others
        work = people.work
        v, draws, _ = work.shape
        seen = work * self.seen
        sums = people.sums + people.of_slots(seen)
        means = sums / np.maximum(self.counts, 1)[:, None]
        gram = people.gram + seen.transpose(1, 0, 2) @ work.transpose(1, 2, 0)
        gram -= sums @ means.swapaxes(1, 2)

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
