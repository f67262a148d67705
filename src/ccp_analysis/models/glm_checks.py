"""Does a model of costs with a log link fit: its variance, and its linear predictor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ccp_analysis.models.glm import GlmFit, fit_glm
from ccp_analysis.models.glm_inference import on_link_scale
from ccp_analysis.models.inference import Inference

GAMMA = 2.0


def park_test(fit: GlmFit, y: np.ndarray, **how: Any) -> tuple[GlmFit, Inference]:
    """Infer the power of the mean to which the variance is proportional.

    Parameters
    ----------
    fit : GlmFit
        Models with a log link, on a batch.
    y : array_like
        Outcomes, shape (..., n).
    **how
        `groups` and `kind` of `on_link_scale`.

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
    mean. 0 is normal, 1 Poisson, 2 gamma, 3 inverse Gaussian. The predictions count as known.
    """
    y = np.asarray(y, dtype=float)
    predictor = np.log(fit.fitted)
    X = _with_constant(_centred(predictor))
    found = fit_glm(X, np.square(y - fit.fitted), "power", power=GAMMA)
    return found, on_link_scale(found, np.eye(2)[1:], **how)


def link_test(fit: GlmFit, y: np.ndarray, power: float, **how: Any) -> tuple[GlmFit, Inference]:
    """Infer whether the linear predictor is curved.

    Parameters
    ----------
    fit, y, **how
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
    return found, on_link_scale(found, np.eye(3)[2:], **how)


def _centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean(axis=-1, keepdims=True)


def _with_constant(*columns: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(columns[0]), *columns], axis=-1)
