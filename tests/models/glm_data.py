"""Drawn outcomes of every family, all numbers of a fit, and whether its estimates are infinite."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_inference import counterfactual, on_link_scale, standardised

POWERS = (1.0, 1.2, 1.5, 1.9, 2.0)
FAMILIES = {"binomial": {}, "poisson": {}} | {f"power {p:g}": {"power": p} for p in POWERS}

few = settings(max_examples=12, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
families = st.sampled_from(list(FAMILIES))


def fitted(X, y, family, **options):
    return fit_glm(X, y, family.partition(" ")[0], **FAMILIES[family], **options)


def draw(seed, family, batch=()):
    """Return an unbalanced design with rows in no order: X, y, groups; the arm is column 1.

    Of the power families y is a cost, of one in five zero.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(8, 20, size=8) + np.array([0, 0, 0, 0, 1, 2, 9, 20])
    groups = rng.permutation(np.repeat(np.arange(8), sizes))
    x = rng.normal(3.0, 2.0, size=(*batch, len(groups)))
    arm = np.broadcast_to((groups % 2).astype(float), x.shape)
    X = np.stack([np.ones(x.shape), arm, x], axis=-1)
    between = rng.normal(size=(*batch, 8))[..., groups]
    if family.startswith("power"):
        mean = np.exp(7.0 + 0.1 * x + 0.3 * between)
        return X, mean * rng.gamma(0.8, 1.25, x.shape) * (rng.random(x.shape) < 0.8), groups
    predictor = 0.2 * x - 0.5 + 0.4 * between
    if family == "poisson":
        return X, rng.poisson(np.exp(predictor)).astype(float), groups
    return X, (rng.random(x.shape) < 1.0 / (1.0 + np.exp(-predictor))).astype(float), groups


def numbers(X, y, groups, family):
    """Return every number of every inference, shape (..., kinds, estimate/se/df, 3)."""
    fit = fitted(X, y, family)
    found = []
    for kind, clusters in (("CR2", groups), ("HC3", None), ("model", None)):
        found.append(on_link_scale(fit, np.eye(3), groups=clusters, kind=kind))
        found.append(standardised(fit, *counterfactual(X, 1), groups=clusters, kind=kind))
    return np.stack([np.stack([f.estimate, f.std_error, f.df], axis=-2) for f in found], axis=-3)


def same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


def infinite(X, y, family):
    """Whether the quasi-likelihood rises for ever in some direction, by linear programming.

    Of events, where one predicts perfectly. Of counts and costs with zeros, in direction d it never
    falls if d leaves the means of all others alone and raises that of no zero; at power 2, whose
    every term is linear in the end, also if it lowers the mean of no cost and the sum of all linear
    predictors does not rise.
    """
    zeros, others = X[y == 0.0], X[y > 0.0]
    if family == "binomial":
        rows, fixed = (1.0 - 2.0 * y)[:, None] * X, None
        gain = rows.sum(axis=0)
    elif family == "power 2":
        rows, fixed = np.vstack([-others, X.sum(axis=0)[None]]), None
        gain = zeros.sum(axis=0) - others.sum(axis=0)
    else:
        rows, gain, fixed = zeros, zeros.sum(axis=0), others
    found = linprog(
        gain,
        A_ub=rows,
        b_ub=np.zeros(len(rows)),
        A_eq=fixed,
        b_eq=None if fixed is None else np.zeros(len(fixed)),
        bounds=[(-1.0, 1.0)] * X.shape[1],
    )
    return -found.fun > 1e-7
