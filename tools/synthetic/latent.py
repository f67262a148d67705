"""Latent normal values of every instrument at both visits: Trusts, teams, people, one factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthetic.items import calibrate
from synthetic.parameters import Parameters


@dataclass(frozen=True)
class Structure:
    """Variances and correlations of one latent value, whose total variance is one.

    Attributes
    ----------
    trust, team : float
        Variance between Trusts, and between teams of a Trust at one visit.
    loading : float
        Of what belongs to the person (with unit variance) on the general factor.
    own_retest : float
        Correlation over the visits of what belongs neither to a cluster nor to the factor.
    """

    trust: float
    team: float
    loading: float
    own_retest: float


def _structure(
    name: str, parameters: Parameters, trust: float, team: float, loading: float, retest: float
) -> Structure:
    """Split a latent value into its parts.

    `retest` is the correlation of the whole over the visits; `loading` that with the factor.
    """
    person = 1 - trust - team
    own = loading / np.sqrt(person)
    if abs(own) >= 1:
        raise ValueError(f"{name}: a loading of {loading:.3g} is out of reach")
    person_retest = (retest - trust - team * (1 - parameters.team_visit_share)) / person
    own_retest = (person_retest - own**2 * parameters.factor_retest) / (1 - own**2)
    if abs(own_retest) > 1:
        raise ValueError(f"{name}: its retest and loading are not possible together")
    return Structure(trust, team, float(own), float(own_retest))


def structure_of(parameters: Parameters, name: str) -> Structure:
    """Return how the latent value of a scale, or ``"need"``, is made up.

    Raises
    ------
    ValueError
        If the stated correlations cannot hold together.
    """
    if name == "need":
        return _structure(
            name,
            parameters,
            parameters.need_trust,
            parameters.need_team,
            parameters.need_loading,
            parameters.need_retest,
        )
    scale = next(s for s in parameters.scales if s.name == name)
    solved = calibrate(scale, parameters.effect(name))
    return _structure(
        name,
        parameters,
        solved.latent_trust,
        solved.latent_team,
        scale.loading / np.sqrt(solved.reliability),
        solved.latent_retest,
    )


def _pair(rng: np.random.Generator, count: int, correlation: float) -> np.ndarray:
    """Draw standard normal pairs (count, 2) with the given correlation."""
    z = rng.standard_normal((count, 2))
    z[:, 1] = correlation * z[:, 0] + np.sqrt(1 - correlation**2) * z[:, 1]
    return z


def draw_factor(parameters: Parameters, people: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the general factor at both visits, shape (people, 2)."""
    return _pair(rng, people, parameters.factor_retest)


def draw_latent(
    structure: Structure,
    factor: np.ndarray,
    team: np.ndarray,
    parameters: Parameters,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw one latent value for everyone at both visits.

    Parameters
    ----------
    structure : Structure
        Of the latent value.
    factor : ndarray (n, 2)
        General factor.
    team : ndarray of int (n,)
        Team codes from 0; teams 2h and 2h + 1 are Trust h.
    parameters : Parameters
        For the number of teams and the share of their variance that is the visit's.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray (n, 2)
        Standard normal over all draws; without change over time and without effect.
    """
    teams = len(parameters.team_sizes)
    between = np.sqrt(structure.trust) * rng.standard_normal(teams // 2)[team // 2]
    lasting = rng.standard_normal(teams)[team]
    passing = rng.standard_normal((teams, 2))[team]
    share = parameters.team_visit_share
    clusters = between[:, None] + np.sqrt(structure.team) * (
        np.sqrt(1 - share) * lasting[:, None] + np.sqrt(share) * passing
    )
    own = _pair(rng, len(team), structure.own_retest)
    person = structure.loading * factor + np.sqrt(1 - structure.loading**2) * own
    return clusters + np.sqrt(1 - structure.trust - structure.team) * person
