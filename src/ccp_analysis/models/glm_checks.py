"""Does a model of costs with a log link fit: its variance, and its linear predictor.

Both tests are models of the predictions, which count as known. Variances of squared residuals may
span twenty orders of magnitude, over which the symmetric root that `glm_inference` takes in the
coordinates of the outcome loses its digits. By clusters the inference is therefore CR2 of the
whitened fit, which is unbiased under the same working model (Pustejovsky & Tipton 2018, with
another root of it).
"""

from __future__ import annotations

import numpy as np

from ccp_analysis.models.glm import GlmFit, fit_glm
from ccp_analysis.models.glm_inference import on_link_scale
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.robust import cluster_robust

GAMMA = 2.0


def park_test(
    fit: GlmFit, y: np.ndarray, groups: np.ndarray | None = None
) -> tuple[GlmFit, Inference]:
    """Infer the power of the mean to which the variance is proportional.

    Parameters
    ----------
    fit : GlmFit
        Models with a log link, on a batch.
    y : array_like
        Outcomes, shape (..., n).
    groups : array_like of int, optional
        Cluster of each row, shape (n,), for CR2; without, HC3.

    Returns
    -------
    GlmFit
        The models of the squared residuals, for their status.
    Inference
        Shape (..., 1): the power.

    Notes
    -----
    The modified Park test (Manning & Mullahy 2001, J Health Econ 20:461-494): the slope of a model
    with log link and gamma variance of the squared residuals on the logarithm of the predicted
    mean. 0 is normal, 1 Poisson, 2 gamma, 3 inverse Gaussian.
    """
    y = np.asarray(y, dtype=float)
    predictor = np.log(fit.fitted)
    X = _with_constant(_centred(predictor))
    found = fit_glm(X, np.square(y - fit.fitted), "power", power=GAMMA)
    return found, _last(found, groups)


def link_test(
    fit: GlmFit, y: np.ndarray, power: float, groups: np.ndarray | None = None
) -> tuple[GlmFit, Inference]:
    """Infer whether the linear predictor is curved.

    Parameters
    ----------
    fit, y, groups
        As for `park_test`.
    power : float
        Of the variance of these models.

    Returns
    -------
    GlmFit
        The same models of the linear predictor and its square.
    Inference
        Shape (..., 1): the coefficient of the square of the linear predictor, taken from its mean.

    Notes
    -----
    Pregibon (1980, J R Stat Soc C 29:15-24). Taking the predictor from its mean leaves the
    coefficient of the square as it is.
    """
    predictor = _centred(np.log(fit.fitted))
    X = _with_constant(predictor, np.square(predictor))
    found = fit_glm(X, y, "power", power=power)
    return found, _last(found, groups)


def _last(fit: GlmFit, groups: np.ndarray | None) -> Inference:
    """Infer the last coefficient."""
    L = np.eye(fit.coef.shape[-1])[-1:]
    if groups is None:
        return on_link_scale(fit, L, kind="HC3")
    return cluster_robust(fit.working, groups, L)


def _centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean(axis=-1, keepdims=True)


def _with_constant(*columns: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(columns[0]), *columns], axis=-1)
