"""Gaussian mixed models: a covariance over visits, for people and for teams.

The outcome of a person at the visits attended is X b plus noise with covariance `structure`, plus,
where teams are given, an effect of the team with covariance `team_structure` over visits. Missed
visits are missing at random given the observed ones: the fit is by direct likelihood. With one
visit this is the model with a random intercept (`fit_random_intercept`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.mixed_algebra import (
    VisitAlgebra,
    least_eigenvalue,
    of_patterns,
)
from ccp_analysis.models.mixed_layout import VisitLayout, visit_layout
from ccp_analysis.models.mixed_moments import VisitMoments, visit_moments
from ccp_analysis.models.mixed_pieces import MixedPieces
from ccp_analysis.models.mixed_problem import Problem
from ccp_analysis.models.mixed_start import start
from ccp_analysis.models.mixed_structures import (
    Joint,
    structure_of_people,
    structure_of_teams,
)
from ccp_analysis.models.newton import minimise
from ccp_analysis.models.ols import OlsFit, fit_ols

# Shares of compound symmetry in the starting covariance, tried one after the other.
STARTS = (0.0, 0.4, 0.8)
# Smallest eigenvalue of the correlations at which a person's covariance is called singular.
SINGULAR_CORRELATION = 1e-8

# Variance, as a share of that of the least squares residuals, that has gone to zero.
VANISHED = 1e-12

BOUNDARY = (
    "The covariance of team effects is estimated at the edge of what is allowed: a variance is "
    "zero, or the covariance is singular."
)
SINGULAR = (
    "The covariance of a person's visits is estimated as singular, the edge of what is allowed: "
    "few people were seen at the same visits."
)
COLLAPSED = (
    "The likelihood grows without bound where the covariance of a person's visits is singular: "
    "there are too few people for it."
)
ABSORBED = (
    "The design explains every difference between teams: the variance of team effects cannot be "
    "told."
)
NO_RESIDUAL = "Nothing varies within teams beside the design: the residual variance goes to zero."
NO_OPTIMUM = "The search for the covariance over visits did not converge."


@dataclass(frozen=True)
class MixedFit:
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
        "ok", "boundary" (a covariance is singular, or a team variance zero) or "failed"; shape
        (...).
    note : numpy.ndarray of str
        One plain sentence where the status is not "ok", else empty; shape (...).
    df_resid : int or numpy.ndarray of int
        n - p; of shape (...) where fits have not the same rows.
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
    df_resid: int | np.ndarray
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

    @property
    def var_resid(self) -> np.ndarray:
        """Variance of a person at the first visit, within teams; shape (...)."""
        return self.covariance[..., 0, 0]

    @property
    def var_group(self) -> np.ndarray:
        """Variance of the teams' effects at the first visit, where teams are; shape (...)."""
        if self.team_covariance is None:
            raise ValueError("The model has no effects of teams.")
        return self.team_covariance[..., 0, 0]

    def pieces(self) -> MixedPieces:
        """Return what small-sample inference needs."""
        return MixedPieces(self)


def fit_mixed(
    X: np.ndarray,
    y: np.ndarray,
    person: np.ndarray,
    visit: np.ndarray,
    structure: str = "us",
    *,
    team: np.ndarray | None = None,
    team_structure: str = "cs",
    method: str = "REML",
) -> MixedFit:
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
    MixedFit

    Raises
    ------
    RankDeficientError
        If every design of the batch has dependent columns.
    ValueError
        If shapes do not fit, a name is unknown, there is a single visit and no team, a visit stands
        twice in a person, two visits are never seen together where their covariance is to be
        estimated, or teams are fewer than two or change within a person.

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
    effects = None if team is None else structure_of_teams(team_structure, v)
    joint = Joint(structure_of_people(structure, v), effects)
    layout.require_estimable(structure)
    ols = fit_ols(layout.X, layout.y)
    absorbed = layout.teams_absorbed(ols)
    failed = np.where(ols.status != "ok", ols.note, np.where(absorbed, ABSORBED, ""))
    usable = failed == ""
    scale = np.sqrt(np.where(usable, ols.sigma2 * ols.df_resid / layout.rows, 1.0))
    moments = _moments(layout, ols, usable, scale)
    problem = Problem(moments, joint, method == "REML")
    return fit_moments(problem, layout.rows, layout.visits, ols.coef, ols.inverse, scale, failed)


def _moments(
    layout: VisitLayout, ols: OlsFit, usable: np.ndarray, scale: np.ndarray
) -> VisitMoments:
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


def fit_moments(
    problem: Problem,
    rows: np.ndarray | int,
    visits: np.ndarray,
    coef: np.ndarray,
    inverse: np.ndarray,
    scale: np.ndarray,
    failed: np.ndarray,
) -> MixedFit:
    """Fit by sums over rows whose least squares fits are known.

    Parameters
    ----------
    problem : Problem
        Sums over the rows, of basis and residuals; covariances; criterion.
    rows : int or numpy.ndarray of int
        Rows of the fits, one number or of shape (...).
    visits : numpy.ndarray of int
        Codes of the visits.
    coef, inverse : numpy.ndarray
        Of the least squares fits: coefficients (..., p), and what leads to them from the basis.
    scale : numpy.ndarray
        Units of the residuals, shape (...).
    failed : numpy.ndarray of str
        Why a fit is none, else empty; shape (...).

    Returns
    -------
    MixedFit
    """
    free, converged, steps = _search(problem, (failed != "").reshape(-1))
    found = (free, converged, steps.reshape(coef.shape[:-1]))
    return _at_optimum(problem, found, rows, visits, (coef, inverse), scale, failed)


def _search(problem: Problem, skip: np.ndarray) -> tuple[np.ndarray, ...]:
    """Minimise from one start after the other, until a fit arrives at a proper covariance.

    With few people at the same visits the likelihood may grow without bound towards a singular
    covariance beside an optimum that a start further from it finds.
    """
    free = start(problem, STARTS[0])
    converged, steps = np.zeros(skip.shape, dtype=bool), np.zeros(skip.shape, dtype=int)
    open_fits = np.flatnonzero(~skip)
    for share in STARTS:
        if open_fits.size == 0:
            break
        rest = problem.take(open_fits)
        first = free[open_fits] if share == STARTS[0] else start(rest, share)
        found, arrived, taken = minimise(rest, first)
        arrived &= ~_collapsed(rest, found)
        free[open_fits], converged[open_fits] = found, arrived
        steps[open_fits] += taken
        open_fits = open_fits[~arrived]
    return free, converged, steps


def _collapsed(problem: Problem, free: np.ndarray) -> np.ndarray:
    """Whether the covariance of the visits of a pattern is singular, shape (B,)."""
    person, _ = problem.joint.covariances(free)
    least = least_eigenvalue(of_patterns(problem.moments, person)).min(axis=-1)
    return least <= SINGULAR_CORRELATION


def _at_optimum(
    problem: Problem,
    found: tuple[np.ndarray, ...],
    rows: np.ndarray | int,
    visits: np.ndarray,
    ols: tuple[np.ndarray, np.ndarray],
    scale: np.ndarray,
    failed: np.ndarray,
) -> MixedFit:
    """Evaluate everything at the chosen covariances and bring it back to the units of the data."""
    (free, converged, steps), (coef, back) = found, ols
    joint, v = problem.joint, problem.moments.visits
    person, team, singular = joint.snapped(free)
    collapsed = _collapsed(problem, free)
    vanished = np.diagonal(person, axis1=-2, axis2=-1).min(axis=-1) <= VANISHED
    edge = least_eigenvalue(person) <= SINGULAR_CORRELATION
    batch = coef.shape[:-1]
    note = np.select(
        [collapsed, vanished & ~converged, ~converged, singular, edge],
        [COLLAPSED, NO_RESIDUAL, NO_OPTIMUM, BOUNDARY, SINGULAR],
        "",
    )
    note = np.where(failed != "", failed, note.reshape(batch))
    status = np.select(
        [note == "", (note == BOUNDARY) | (note == SINGULAR)], ["ok", "boundary"], "failed"
    )
    valid = status != "failed"
    safe = valid.reshape(-1)[:, None, None]
    algebra = VisitAlgebra(
        problem.moments,
        np.where(safe, person, np.eye(v)),
        None if team is None else np.where(safe, team, 0.0),
        problem.reml,
    )
    square = np.where(valid, scale**2, np.nan)[..., None, None]
    p = coef.shape[-1]
    phi = algebra.phi.reshape(*batch, p, p)
    shift = (back @ algebra.gamma.reshape(*batch, p, 1))[..., 0]
    freedom = rows - p if problem.reml else rows
    deviance = algebra.value.reshape(batch) + freedom * np.log(2.0 * np.pi * square[..., 0, 0])
    if problem.reml:
        # The basis leaves |R|^2 out of |X'V^-1 X|.
        diagonal = np.diagonal(back, axis1=-2, axis2=-1)
        deviance = deviance - 2.0 * np.log(np.abs(diagonal)).sum(axis=-1)
    return MixedFit(
        coef=coef + shift * np.sqrt(square[..., 0]),
        cov=back @ phi @ np.swapaxes(back, -1, -2) * square,
        covariance=person.reshape(*batch, v, v) * square,
        team_covariance=None if team is None else team.reshape(*batch, v, v) * square,
        deviance=deviance,
        status=status,
        note=note,
        df_resid=rows - p,
        method="REML" if problem.reml else "ML",
        visits=visits,
        steps=steps,
        inverse=back,
        scale=scale,
        moments=problem.moments,
        structure=joint,
        free=free,
    )
