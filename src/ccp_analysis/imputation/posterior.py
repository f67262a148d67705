"""Approximate posterior draws of the parameters of a multivariate normal model of visits."""

from __future__ import annotations

import numpy as np

from ccp_analysis.imputation.reference import NormalModel, Parameters
from ccp_analysis.models.mixed import MixedFit
from ccp_analysis.models.mixed_algebra import VisitAlgebra
from ccp_analysis.models.mixed_structures import Unstructured
from ccp_analysis.models.ols import OlsFit


def draw_parameters(model: NormalModel, m: int, rng: np.random.Generator) -> Parameters:
    """Draw from the approximate posterior of a model's parameters.

    Parameters
    ----------
    model : NormalModel
        The fit.
    m : int
        Number of draws.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    ccp_analysis.imputation.reference.Parameters
        With the leading axis m.

    Raises
    ------
    ValueError
        If the covariance was estimated at the edge of what is allowed, where its likelihood has no
        normal approximation.

    Notes
    -----
    The covariance from the normal approximation to the REML likelihood, with the observed
    information, in the elements of its Cholesky factor and the logarithms of its diagonal, so that
    every draw is positive definite; given it, the coefficients from their exact normal posterior
    under a flat prior. With a single visit the variance is drawn exactly, as the residual sum of
    squares over a chi-squared variable (Rubin 1987, p. 167).
    """
    fit = model.whole
    if isinstance(fit, OlsFit):
        sigma2 = fit.sigma2 * fit.df_resid / rng.chisquare(fit.df_resid, m)
        noise = rng.standard_normal((m, len(fit.coef)))
        coef = fit.coef + np.sqrt(sigma2)[:, None] * (noise @ fit.inverse.T)
        return Parameters(coef, sigma2[:, None, None])
    unit = float(fit.scale) ** 2
    person = _draw_covariances(fit, m, rng)
    drawn = VisitAlgebra(fit.moments, person, None, True)
    centre = VisitAlgebra(fit.moments, fit.covariance[None] / unit, None, True)
    shift = (drawn.gamma - centre.gamma) @ fit.inverse.T
    noise = np.linalg.cholesky(drawn.phi) @ rng.standard_normal((m, len(fit.coef), 1))
    noise = noise[..., 0] @ fit.inverse.T
    return Parameters(fit.coef + (shift + noise) * np.sqrt(unit), person * unit)


def _draw_covariances(fit: MixedFit, m: int, rng: np.random.Generator) -> np.ndarray:
    """Return covariances of the visits in the units of the fit's moments, shape (m, v, v)."""
    structure = fit.structure.person
    if fit.status != "ok" or not isinstance(structure, Unstructured):
        raise ValueError(f"parameters cannot be drawn: {fit.note}")
    free, unit = fit.free, float(fit.scale) ** 2
    algebra = VisitAlgebra(fit.moments, fit.covariance[None] / unit, None, True)
    jacobian = structure.jacobian(free)
    hessian = jacobian @ algebra.observed @ np.swapaxes(jacobian, -1, -2)
    hessian = (hessian + structure.curvature(free, algebra.gradient))[0]
    diagonal = structure.rows == structure.columns
    stretch = np.where(diagonal, free[0], 1.0)
    root = np.linalg.cholesky(hessian * stretch[:, None] * stretch / 2.0)
    moved = np.linalg.solve(root.T, rng.standard_normal((structure.size, m))).T
    return structure.covariance(np.where(diagonal, free * np.exp(moved), free + moved))
