"""Where the search for the covariances of a mixed model begins."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ccp_analysis.models.mixed_moments import VisitMoments
from ccp_analysis.models.mixed_structures import Joint, nearest_proper
from ccp_analysis.models.symmetric import multiplicity, unpack

# Shares of the variance that team effects are tried with before the search.
TEAM_SHARES = (0.02, 0.2, 0.6)
# Ratios of the variances of groups and within them among which the best is sought first.
RATIOS = np.concatenate([[0.0], np.geomspace(1e-3, 1e2, 26)])
STEPS = 6
# Share of the largest group below which the design has taken a direction between groups.
ABSORBED = 1e-10


class Problem(Protocol):
    """The criterion in the free coordinates of the covariances."""

    @property
    def moments(self) -> VisitMoments:
        """Sums over the rows."""

    @property
    def joint(self) -> Joint:
        """The covariances modelled."""

    @property
    def reml(self) -> bool:
        """Whether the criterion is restricted."""

    def value(self, free: np.ndarray) -> np.ndarray:
        """Return the criterion."""


def start(problem: Problem, share: float) -> np.ndarray:
    """Return free coordinates near the covariances that pairs of visits show, shape (B, K).

    The share is that of a compound symmetric covariance with half the variance between people. A
    random intercept of fits that share their design begins at its optimum.
    """
    moments, joint = problem.moments, problem.joint
    near = _intercept(moments) if problem.reml and not share else None
    if near is not None and joint.team is not None:
        within, between = (v[:, None, None] for v in near)
        return np.concatenate([joint.person.start(within), joint.team.start(between)], axis=-1)
    v = moments.visits
    together = np.einsum("...s,sa,sb->...ab", moments.people, moments.seen, moments.seen)
    crossed = unpack(moments.outcome.sum(axis=1) / multiplicity(v), v)
    rough = crossed / np.maximum(together, 1.0)
    empty = np.diagonal(rough, axis1=-2, axis2=-1).sum(axis=-1) <= 0.0
    rough = nearest_proper(np.where(empty[:, None, None], np.eye(v), rough))
    sd = np.sqrt(np.diagonal(rough, axis1=-2, axis2=-1))
    plain = sd[:, :, None] * sd[:, None, :] * (0.5 + 0.5 * np.eye(v))
    rough = (1.0 - share) * rough + share * plain
    if joint.team is None:
        return joint.person.start(rough)
    level = np.trace(rough, axis1=-2, axis2=-1)[:, None, None] / v
    effects = level * (0.5 * np.eye(v) + 0.5)
    starts = [
        np.concatenate(
            [joint.person.start((1.0 - part) * rough), joint.team.start(part * effects)], axis=-1
        )
        for part in TEAM_SHARES
    ]
    values = np.stack([problem.value(start) for start in starts])
    best = np.argmin(np.where(np.isnan(values), np.inf, values), axis=0)
    return np.stack(starts)[best, np.arange(len(best))]


def _intercept(moments: VisitMoments) -> tuple[np.ndarray, np.ndarray] | None:
    """Return variances within and between groups near the REML optimum, shape (B,).

    None where the model is not a random intercept of a shared design. With d_i the nonzero
    eigenvalues of Z'(I - H)Z and t_i the residuals' group sums along their eigenvectors, the
    criterion is a function of the ratio r of the variances alone (Harville 1977, J Am Stat Assoc
    72:320-338),

        sum log(1 + r d_i) + (n - p) log(e'e - sum t_i^2 r / (1 + r d_i)).
    """
    teams = moments.teams
    if teams is None or moments.visits > 1 or len(teams.design) > 1 or teams.people.ndim > 1:
        return None
    taken = teams.design[0, :, 0]
    n, p = float(moments.people.sum()), moments.columns
    values, vectors = np.linalg.eigh(np.diag(teams.people) - taken @ taken.T)
    kept = values > ABSORBED * teams.people.max()
    d = values[kept]
    squares = np.square(teams.outcome[:, :, 0] @ vectors[:, kept])
    whole = moments.outcome[:, 0, 0]

    def left(r: np.ndarray) -> np.ndarray:
        return whole - (squares * (r / (1.0 + r * d))).sum(axis=-1)

    def value(r: np.ndarray) -> np.ndarray:
        return np.log1p(r * d).sum(axis=-1) + (n - p) * np.log(left(r))

    with np.errstate(divide="ignore", invalid="ignore"):
        tried = np.stack([value(np.full((len(whole), 1), ratio)) for ratio in RATIOS])
        best = np.argmin(np.where(np.isfinite(tried), tried, np.inf), axis=0)
        ratio = RATIOS[best]
        low = RATIOS[np.maximum(best - 1, 0)]
        high = RATIOS[np.minimum(best + 1, len(RATIOS) - 1)]
        for _ in range(STEPS):
            grown = 1.0 + ratio[:, None] * d
            slope = -(squares / grown**2).sum(axis=-1)
            bend = 2.0 * (squares * d / grown**3).sum(axis=-1)
            rest = left(ratio[:, None])
            first = (d / grown).sum(axis=-1) + (n - p) * slope / rest
            second = -np.square(d / grown).sum(axis=-1) + (n - p) * (
                bend / rest - np.square(slope / rest)
            )
            step = np.where(second > 0.0, -first / second, 0.0)
            ratio = np.clip(ratio + np.where(np.isfinite(step), step, 0.0), low, high)
    within = left(ratio[:, None]) / (n - p)
    return within, ratio * within
