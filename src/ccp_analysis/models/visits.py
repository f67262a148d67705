"""Gaussian models for repeated measures: a covariance over visits, for people and for teams.

The outcome of a person at the visits attended is X b plus noise with covariance `structure`, plus,
where teams are given, an effect of the team with covariance `team_structure` over visits. Missed
visits are missing at random given the observed ones: the fit is by direct likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ccp_analysis.models.newton import Slopes, minimise
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.structures import (
    Components,
    Joint,
    Unstructured,
    nearest_proper,
    person_structure,
    team_structure,
)
from ccp_analysis.models.symmetric import multiplicity, unpack
from ccp_analysis.models.visit_algebra import VisitAlgebra, is_proper
from ccp_analysis.models.visit_layout import VisitLayout, visit_layout
from ccp_analysis.models.visit_moments import VisitMoments, visit_moments

# Shares of the variance that team effects are tried with before the search.
TEAM_SHARES = (0.02, 0.2, 0.6)
# Variance of team effects, as a share of a person's, that is called zero.
ZERO_SHARE = 1e-9
# Smallest eigenvalue of the correlations at which a person's covariance is called singular.
SINGULAR_CORRELATION = 1e-8
PSEUDO_INVERSE = 1e-8

BOUNDARY = (
    "The covariance of team effects is estimated at the edge of what is allowed: a variance is "
    "zero, or the covariance is singular."
)
SINGULAR = "The covariance of a person's visits becomes singular: there are too few people for it."
NO_OPTIMUM = "The search for the covariance over visits did not converge."


@dataclass(frozen=True)
class VisitFit:
    """Fits of a batch; NaN stands in every number of a failed fit.

    Attributes
    ----------
    coef : numpy.ndarray
        Generalised least squares coefficients, shape (..., p).
    cov : numpy.ndarray
        (X'V^-1 X)^-1 at the estimated covariances, shape (..., p, p).
    covariance : numpy.ndarray
        Covariance of a person's visits within teams, squared units of the outcome, shape
        (..., v, v).
    team_covariance : numpy.ndarray or None
        Covariance of team effects over visits, shape (..., v, v).
    deviance : numpy.ndarray
        REML: log|V| + log|X'V^-1 X| + y'Py + (n - p) log(2 pi), as lme4 and mmrm; ML: -2 log
        likelihood. Shape (...).
    status : numpy.ndarray of str
        "ok", "boundary" (the covariance of team effects is singular) or "failed"; shape (...).
    note : numpy.ndarray of str
        One plain sentence where the status is not "ok", else empty; shape (...).
    df_resid : int
        n - p.
    method : str
        "REML" or "ML".
    visits : numpy.ndarray of int
        Codes of the visits in the order of the covariances, shape (v,).
    steps : numpy.ndarray of int
        Steps of the search, shape (...).
    inverse : numpy.ndarray
        R^-1 of X = QR, which carries the basis of `moments` to coefficients; shape (..., p, p).
    scale : numpy.ndarray
        Units of `moments`: root mean square of the least squares residuals, shape (...).
    moments : VisitMoments
        Cross-products of the batch, flattened to one axis.
    structure : Joint
        The covariances modelled.
    free : numpy.ndarray
        Their free coordinates, in the units of `moments`, shape (B, K).
    """

    coef: np.ndarray
    cov: np.ndarray
    covariance: np.ndarray
    team_covariance: np.ndarray | None
    deviance: np.ndarray
    status: np.ndarray
    note: np.ndarray
    df_resid: int
    method: str
    visits: np.ndarray
    steps: np.ndarray
    inverse: np.ndarray
    scale: np.ndarray
    moments: VisitMoments
    structure: Joint
    free: np.ndarray

    @property
    def information(self) -> str:
        """Information that Kenward-Roger uses unless told: mmrm's, or with teams pbkrtest's."""
        return "observed" if self.team_covariance is None else "expected"

    def pieces(self) -> VisitPieces:
        """Return what small-sample inference needs."""
        return VisitPieces(self)


def fit_visits(
    X: np.ndarray,
    y: np.ndarray,
    person: np.ndarray,
    visit: np.ndarray,
    structure: str = "us",
    *,
    team: np.ndarray | None = None,
    team_structure: str = "cs",
    method: str = "REML",
) -> VisitFit:
    """Fit linear models to repeated measures, one row for every person and visit.

    Parameters
    ----------
    X : array_like
        Design, shape (..., n, p).
    y : array_like
        Outcome, shape (..., n); leading axes broadcast against those of the design. A row that is
        NaN in every fit of the batch is a missed visit and left out; a fit with further missing
        values fails alone.
    person, visit : array_like of int
        Codes of each row, shape (n,), shared by the batch. No visit twice in one person.
    structure : {"us", "cs", "csh"}
        Covariance of a person's visits: unstructured, compound symmetry (a negative covariance is
        allowed), heterogeneous compound symmetry.
    team : array_like of int, optional
        Team of each row, shape (n,); people stay in one team.
    team_structure : {"cs", "us", "intercept"}
        Covariance of team effects over visits: variances of team and team x visit, each at least
        zero; unstructured and positive semidefinite; or a variance of the team alone. Not used
        without teams.
    method : {"REML", "ML"}
        Restricted maximum likelihood, or maximum likelihood.

    Returns
    -------
    VisitFit

    Raises
    ------
    RankDeficientError
        If every design of the batch has dependent columns.
    ValueError
        If shapes do not fit, a name is unknown, there is a single visit, a visit stands twice in a
        person, two visits are never seen together where their covariance is to be estimated, or
        teams are fewer than two, explained by the design, or change within a person.

    Notes
    -----
    Newton's method on the criterion profiled over the coefficients, with exact derivatives
    (Lindstrom & Bates 1988; Mallinckrodt et al. 2008 for the model), in the Cholesky factor of
    unstructured covariances and the roots of variance components. After one pass over the rows an
    iteration costs O(S v^2 p^2 + v^6) for S patterns of visits, and O(G (v^4 p + v^6)) for G teams.
    """
    if method not in ("REML", "ML"):
        raise ValueError(f"The method is REML or ML, not {method}.")
    layout = visit_layout(X, y, person, visit, team)
    v = len(layout.visits)
    joint = Joint(
        person_structure(structure, v), None if team is None else _team(team_structure, v)
    )
    layout.require_estimable(structure)
    ols = fit_ols(layout.X, layout.y)
    layout.require_teams_beside(ols)
    usable = ols.status == "ok"
    scale = np.sqrt(np.where(usable, ols.sigma2 * ols.df_resid / layout.rows, 1.0))
    moments = _moments(layout, ols, usable, scale)
    problem = _VisitProblem(moments, joint, method == "REML")
    skip = ~np.broadcast_to(usable, ols.coef.shape[:-1]).reshape(-1)
    free, converged, steps = minimise(problem, _start(problem), skip)
    return _at_optimum(problem, free, converged, steps, layout, ols, scale)


def _team(name: str, visits: int) -> Unstructured | Components:
    return team_structure(name, visits)


def _moments(layout: VisitLayout, ols, usable: np.ndarray, scale: np.ndarray) -> VisitMoments:
    # A fit that failed gets residuals of zero: its numbers are finite and thrown away later.
    residuals = np.where(usable[..., None], ols.residuals, 0.0) / scale[..., None]
    batch, (n, p) = residuals.shape[:-1], ols.basis.shape[-2:]
    basis = ols.basis
    if basis.ndim > 2:
        basis = np.broadcast_to(basis, (*batch, n, p))
    return visit_moments(
        basis.reshape(-1, n, p),
        residuals.reshape(-1, n),
        layout.person,
        layout.visit,
        layout.team,
    )


@dataclass(frozen=True)
class _VisitProblem:
    """The criterion in the free coordinates of the covariances."""

    moments: VisitMoments
    joint: Joint
    reml: bool

    def take(self, fits: np.ndarray) -> _VisitProblem:
        return _VisitProblem(self.moments.take(fits), self.joint, self.reml)

    def algebra(self, free: np.ndarray) -> VisitAlgebra:
        return VisitAlgebra(self.moments, *self.joint.covariances(free), self.reml)

    def value(self, free: np.ndarray) -> np.ndarray:
        person, team = self.joint.covariances(free)
        proper = is_proper(person)
        if team is not None:
            proper &= np.isfinite(team).all(axis=(-2, -1))
            team = np.where(proper[:, None, None], team, 0.0)
        person = np.where(proper[:, None, None], person, np.eye(self.joint.person.visits))
        found = VisitAlgebra(self.moments, person, team, self.reml).value
        return np.where(proper, found, np.inf)

    def slopes(self, free: np.ndarray) -> Slopes:
        algebra, jacobian = self.algebra(free), self.joint.jacobian(free)
        turned = np.swapaxes(jacobian, -1, -2)
        curvature = self.joint.curvature(free, algebra.gradient)
        # Where a root of a variance is zero the information vanishes; its curvature does not.
        lifted = np.abs(np.diagonal(curvature, axis1=-2, axis2=-1))[:, :, None] * np.eye(
            free.shape[1]
        )
        return Slopes(
            algebra.value,
            (jacobian @ algebra.gradient[:, :, None])[:, :, 0],
            jacobian @ algebra.observed @ turned + curvature,
            jacobian @ algebra.expected @ turned + lifted,
        )


def _start(problem: _VisitProblem) -> np.ndarray:
    """Return free coordinates near the covariances that pairs of visits show, shape (B, K)."""
    moments, joint = problem.moments, problem.joint
    v = moments.visits
    together = np.einsum("s,sa,sb->ab", moments.people, moments.seen, moments.seen)
    crossed = unpack(moments.outcome.sum(axis=1) / multiplicity(v), v)
    rough = crossed / np.maximum(together, 1.0)
    empty = np.diagonal(rough, axis1=-2, axis2=-1).sum(axis=-1) <= 0.0
    rough = nearest_proper(np.where(empty[:, None, None], np.eye(v), rough))
    if joint.team is None:
        return joint.person.start(rough)
    level = np.trace(rough, axis1=-2, axis2=-1)[:, None, None] / v
    effects = level * (0.5 * np.eye(v) + 0.5)
    starts = [
        np.concatenate(
            [joint.person.start((1.0 - share) * rough), joint.team.start(share * effects)], axis=-1
        )
        for share in TEAM_SHARES
    ]
    values = np.stack([problem.value(start) for start in starts])
    best = np.argmin(np.where(np.isnan(values), np.inf, values), axis=0)
    return np.stack(starts)[best, np.arange(len(best))]


def _snap(joint: Joint, free: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Return the covariances with zero for what is zero, and whether team effects are singular."""
    person, team = joint.covariances(free)
    if team is None:
        return person, None, np.zeros(len(free), dtype=bool)
    floor = ZERO_SHARE * np.trace(person, axis1=-2, axis2=-1) / joint.person.visits
    if isinstance(joint.team, Components):
        roots = free[:, joint.slices[1]]
        zero = np.square(roots) <= floor[:, None]
        return person, joint.team.covariance(np.where(zero, 0.0, roots)), zero.any(axis=-1)
    finite = np.where(np.isfinite(team), team, 0.0)
    values, vectors = np.linalg.eigh(finite)
    zero = values <= floor[:, None]
    values = np.where(zero, 0.0, values)
    return person, (vectors * values[:, None]) @ np.swapaxes(vectors, -1, -2), zero.any(axis=-1)


def _at_optimum(
    problem: _VisitProblem,
    free: np.ndarray,
    converged: np.ndarray,
    steps: np.ndarray,
    layout: VisitLayout,
    ols,
    scale: np.ndarray,
) -> VisitFit:
    """Evaluate everything at the chosen covariances and bring it back to the units of the data."""
    joint, v = problem.joint, problem.moments.visits
    person, team, singular = _snap(joint, free)
    proper = is_proper(person)
    sd = np.sqrt(np.where(proper[:, None], np.diagonal(person, axis1=-2, axis2=-1), 1.0))
    correlation = np.where(
        proper[:, None, None], person / (sd[:, :, None] * sd[:, None, :]), np.eye(v)
    )
    collapsed = ~proper | (np.linalg.eigvalsh(correlation)[:, 0] <= SINGULAR_CORRELATION)
    batch = ols.coef.shape[:-1]
    note = np.select([collapsed, ~converged, singular], [SINGULAR, NO_OPTIMUM, BOUNDARY], "")
    note = np.where(ols.status != "ok", ols.note, note.reshape(batch))
    status = np.select([note == "", note == BOUNDARY], ["ok", "boundary"], "failed")
    valid = status != "failed"
    safe = valid.reshape(-1)[:, None, None]
    algebra = VisitAlgebra(
        problem.moments,
        np.where(safe, person, np.eye(v)),
        None if team is None else np.where(safe, team, 0.0),
        problem.reml,
    )
    square = np.where(valid, scale**2, np.nan)[..., None, None]
    p, back = ols.coef.shape[-1], ols.inverse
    phi = algebra.phi.reshape(*batch, p, p)
    shift = (back @ algebra.gamma.reshape(*batch, p, 1))[..., 0]
    freedom = layout.rows - p if problem.reml else layout.rows
    deviance = algebra.value.reshape(batch) + freedom * np.log(2.0 * np.pi * square[..., 0, 0])
    if problem.reml:
        # The basis leaves |R|^2 out of |X'V^-1 X|.
        diagonal = np.diagonal(back, axis1=-2, axis2=-1)
        deviance = deviance - 2.0 * np.log(np.abs(diagonal)).sum(axis=-1)
    return VisitFit(
        coef=ols.coef + shift * np.sqrt(square[..., 0]),
        cov=back @ phi @ np.swapaxes(back, -1, -2) * square,
        covariance=person.reshape(*batch, v, v) * square,
        team_covariance=None if team is None else team.reshape(*batch, v, v) * square,
        deviance=deviance,
        status=status,
        note=note,
        df_resid=layout.rows - p,
        method="REML" if problem.reml else "ML",
        visits=layout.visits,
        steps=steps.reshape(batch),
        inverse=back,
        scale=scale,
        moments=problem.moments,
        structure=joint,
        free=free,
    )


class VisitPieces:
    """Matrices of Kenward & Roger (1997), with their symbols, for K parameters of covariances.

    In the basis of the design and in units of `scale` squared; shapes (..., p, p), (..., K, p, p)
    and (..., K, K). Parameters are those that V is linear in: elements of unstructured covariances,
    variance components. For heterogeneous compound symmetry they are standard deviations and a
    coordinate of the correlation; the derivatives are taken there, and the term with second
    derivatives of V is left out, which makes the adjustment independent of the coordinates.
    """

    def __init__(self, fit: VisitFit) -> None:
        self.fit, self.joint = fit, fit.structure
        self.batch = fit.coef.shape[:-1]
        self.valid = (fit.status != "failed").reshape(-1)
        safe = self.valid[:, None, None]
        square = np.where(self.valid, fit.scale.reshape(-1) ** 2, 1.0)[:, None, None]
        v = fit.moments.visits
        person = np.where(safe, fit.covariance.reshape(-1, v, v) / square, np.eye(v))
        team = fit.team_covariance
        if team is not None:
            team = np.where(safe, team.reshape(-1, v, v) / square, 0.0)
        self.algebra = VisitAlgebra(fit.moments, person, team, fit.method == "REML")
        self.free = np.where(self.valid[:, None], fit.free, 1.0)
        self.tangents = self.joint.tangents(self.free)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        values = np.where(self.valid.reshape(-1, *[1] * (values.ndim - 1)), values, np.nan)
        return values.reshape(*self.batch, *values.shape[1:])

    def _between_parameters(self, matrix: np.ndarray) -> np.ndarray:
        return self.tangents @ matrix @ np.swapaxes(self.tangents, -1, -2)

    @property
    def unit(self) -> np.ndarray:
        """Squared units of the outcome per unit of variance here, shape (...)."""
        return self.fit.scale**2

    @cached_property
    def phi(self) -> np.ndarray:
        """(X'V^-1 X)^-1."""
        return self._shaped(self.algebra.phi)

    @cached_property
    def P(self) -> np.ndarray:
        """P_k = -X'V^-1 G_k V^-1 X."""
        p = self.fit.coef.shape[-1]
        flat = self.algebra.P.reshape(len(self.free), -1, p * p)
        return self._shaped((self.tangents @ flat).reshape(len(self.free), -1, p, p))

    @cached_property
    def expected(self) -> np.ndarray:
        """Twice the expected information."""
        return self._shaped(self._between_parameters(self.algebra.expected))

    @cached_property
    def observed(self) -> np.ndarray:
        """Second derivatives of the deviance."""
        bending = self.joint.bending(self.free, self.algebra.gradient)
        return self._shaped(self._between_parameters(self.algebra.observed) + bending)

    def second(self, weights: np.ndarray) -> np.ndarray:
        """Return sum_kl weights_kl Q_kl: (..., K, K) to (..., p, p)."""
        weights = weights.reshape(len(self.free), *weights.shape[-2:])
        inside = np.swapaxes(self.tangents, -1, -2) @ weights @ self.tangents
        return self._shaped(self.algebra.second(inside))

    @cached_property
    def spread(self) -> np.ndarray:
        """Covariance of the parameters by the observed information; on the boundary along it."""
        free, jacobian = self.free, self.joint.jacobian(self.free)
        curvature = self.joint.curvature(free, self.algebra.gradient)
        hessian = jacobian @ self.algebra.observed @ np.swapaxes(jacobian, -1, -2) + curvature
        diagonal = np.abs(np.diagonal(hessian, axis1=-2, axis2=-1))
        scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        values, vectors = np.linalg.eigh(scale[:, :, None] * hessian * scale[:, None, :])
        kept = values > PSEUDO_INVERSE * values[:, -1:]
        inverse = np.where(kept, 1.0 / np.where(kept, values, 1.0), 0.0)
        root = scale[:, :, None] * vectors
        found = 2.0 * (root * inverse[:, None, :]) @ np.swapaxes(root, -1, -2)
        change = jacobian @ np.linalg.pinv(self.tangents)
        return self._shaped(np.swapaxes(change, -1, -2) @ found @ change)
