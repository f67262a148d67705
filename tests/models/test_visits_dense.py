"""Agreement with the model written out in n x n matrices, and with a general optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from visits_data import Dense, clustered, coordinates, draw, spread_out

from ccp_analysis.models.mixed import fit_mixed
from ccp_analysis.models.mixed_algebra import VisitAlgebra
from ccp_analysis.models.mixed_moments import visit_moments
from ccp_analysis.models.mixed_structures import HeterogeneousSymmetry, Unstructured
from ccp_analysis.models.small_sample import kenward_roger, satterthwaite
from ccp_analysis.models.symmetric import pack


def random_covariance(rng, visits, rank):
    factor = rng.normal(size=(visits, rank))
    return factor @ factor.T


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("rank", [None, 0, 2, 3])
def test_derivatives_in_every_element(reml, rank):
    """Rank of the covariance of team effects, or no teams."""
    rng = np.random.default_rng(21)
    X, y, person, visit, team = draw(22, people=25, teams=4, missing=0.3)
    basis = np.linalg.qr(X)[0]
    inner = random_covariance(rng, 3, 3) + 0.3 * np.eye(3)
    V = spread_out(inner, visit, person)
    G = [spread_out(g, visit, person) for g in coordinates(3)]
    outer = None
    if rank is not None:
        outer = random_covariance(rng, 3, rank)
        V = V + spread_out(outer, visit, team)
        G += [spread_out(g, visit, team) for g in coordinates(3)]
        outer = outer[None]
    moments = visit_moments(basis[None], y[None], person, visit, None if rank is None else team)
    ours = VisitAlgebra(moments, inner[None], outer, reml)
    dense = Dense(basis, y, V, G, reml)
    for name in ("value", "gradient", "expected", "observed", "P", "phi"):
        theirs = getattr(dense, name)
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(
            getattr(ours, name)[0], theirs, rtol=1e-9, atol=1e-11 * scale, err_msg=name
        )
    weights = rng.normal(size=dense.expected.shape)
    weights = weights + weights.T
    theirs = np.einsum("kl,klij->ij", weights, dense.Q)
    np.testing.assert_allclose(
        ours.second(weights[None])[0], theirs, rtol=1e-9, atol=1e-11 * np.abs(theirs).max()
    )


@pytest.mark.parametrize(
    "structure", [Unstructured(3), Unstructured(3, proper=False), HeterogeneousSymmetry(4)]
)
def test_derivatives_of_structures(structure):
    rng = np.random.default_rng(23)
    free = rng.normal(size=structure.size) + 1.0
    gradient = rng.normal(size=structure.visits * (structure.visits + 1) // 2)
    step = 1e-5 * np.eye(structure.size)
    moved = [
        (pack(structure.covariance(free + h)) - pack(structure.covariance(free - h))) / 2e-5
        for h in step
    ]
    np.testing.assert_allclose(structure.jacobian(free), moved, rtol=1e-7, atol=1e-8)
    bent = [
        ((structure.jacobian(free + h) - structure.jacobian(free - h)) @ gradient) / 2e-5
        for h in step
    ]
    np.testing.assert_allclose(structure.curvature(free, gradient), bent, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("team_structure", ["cs", "us"])
def test_clustered_longitudinal_model_written_out(team_structure):
    """No covariance near is better, and all that is inferred is that of n x n matrices."""
    X, y, person, visit, team = clustered()
    visit, p = visit - 1, X.shape[1]
    fit = fit_mixed(X, y, person, visit, "us", team=team, team_structure=team_structure)
    assert fit.status in ("ok", "boundary")
    of_teams = coordinates(3) if team_structure == "us" else [np.ones((3, 3)), np.eye(3)]
    G = [spread_out(g, visit, person) for g in coordinates(3)]
    G += [spread_out(g, visit, team) for g in of_teams]

    def at(inner, outer):
        V = spread_out(inner, visit, person) + spread_out(outer, visit, team)
        return Dense(X, y, V, G)

    dense, rng = at(fit.covariance, fit.team_covariance), np.random.default_rng(2)
    constant = (len(y) - p) * np.log(2.0 * np.pi)
    np.testing.assert_allclose(fit.deviance, dense.value + constant, rtol=1e-9)
    for size in np.repeat([1e-3, 1e-2, 0.1], 6):
        moved, bent = np.eye(3) + size * rng.normal(size=(2, 3, 3))
        inner, outer = moved @ fit.covariance @ moved.T, bent @ fit.team_covariance @ bent.T
        if team_structure == "cs":
            shares = fit.team_covariance[0, 1], fit.team_covariance[0, 0]
            scale = np.exp(size * rng.normal(size=2))
            outer = scale[0] * shares[0] + scale[1] * (shares[1] - shares[0]) * np.eye(3)
        outer = outer + size**2 * rng.random() * np.eye(3)
        assert at(inner, outer).value >= dense.value - 1e-8
    np.testing.assert_allclose(fit.coef, dense.coef, rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diagonal(fit.cov)), np.sqrt(np.diagonal(dense.phi)))
    for information in ("expected", "observed"):
        found = kenward_roger(fit, np.eye(p), information=information)
        errors, df = dense.kenward_roger(information)
        np.testing.assert_allclose(found.std_error, errors, rtol=1e-7)
        np.testing.assert_allclose(found.df, df, rtol=1e-6)
    np.testing.assert_allclose(satterthwaite(fit, np.eye(p)).df, dense.satterthwaite(), rtol=1e-6)


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_heterogeneous_symmetry_written_out(method):
    X, y, person, visit, _ = draw(24, people=60)
    fit = fit_mixed(X, y, person, visit, "csh", method=method)
    assert fit.status == "ok"
    sd = np.sqrt(np.diagonal(fit.covariance))
    rho = fit.covariance[0, 1] / (sd[0] * sd[1])

    def at(values):
        R = values[3] + (1.0 - values[3]) * np.eye(3)
        return spread_out(R * np.outer(values[:3], values[:3]), visit, person)

    best = np.append(sd, rho)
    G = [(at(best + h) - at(best - h)) / 2e-5 for h in 1e-5 * np.eye(4)]
    dense = Dense(X, y, at(best), G, method == "REML")
    np.testing.assert_allclose(dense.gradient, 0.0, atol=1e-6)
    # Second derivatives of the criterion by differences of gradients, V being curved.
    moved = []
    for h in 1e-4 * np.eye(4):
        slopes = []
        for sign in (1.0, -1.0):
            there = best + sign * h
            tangents = [(at(there + k) - at(there - k)) / 2e-5 for k in 1e-5 * np.eye(4)]
            slopes.append(Dense(X, y, at(there), tangents, method == "REML").gradient)
        moved.append((slopes[0] - slopes[1]) / 2e-4)
    dense.observed = np.array(moved)
    df = dense.satterthwaite()
    np.testing.assert_allclose(satterthwaite(fit, np.eye(7)).df, df, rtol=1e-5)
    if method == "REML":
        for information in ("expected", "observed"):
            found = kenward_roger(fit, np.eye(7), information=information)
            errors, df = dense.kenward_roger(information)
            np.testing.assert_allclose(found.std_error, errors, rtol=1e-6)
            np.testing.assert_allclose(found.df, df, rtol=1e-5)
