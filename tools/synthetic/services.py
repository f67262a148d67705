"""Counts of service use: many zeros and long tails, correlated over services and visits."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, ndtr, ndtri

from synthetic.parameters import Parameters, Service


def _positive(service: Service, location: float) -> np.ndarray:
    """Probabilities of 1, 2, ... maximum with the logarithm of an untruncated mean as location."""
    counts = np.arange(1, service.maximum + 1)
    if service.family == "log-normal":
        edges = ndtr(
            (np.log(np.append(counts, service.maximum + 1) - 0.5) - location) / service.shape
        )
        weights = np.diff(edges)
    else:
        mean, k = np.exp(location), service.shape
        logs = gammaln(counts + k) - gammaln(counts + 1) + counts * np.log(mean / (mean + k))
        weights = np.exp(logs - logs.max())
    return weights / weights.sum()


@lru_cache(maxsize=256)
def positive_part(service: Service) -> np.ndarray:
    """Return the distribution of a count among those with at least one.

    Parameters
    ----------
    service : Service
        Its mean is met exactly, truncation at the maximum included.

    Returns
    -------
    ndarray (maximum,)
        Probabilities of 1, 2, ..., maximum.

    Raises
    ------
    ValueError
        If the mean is out of reach.
    """
    counts = np.arange(1, service.maximum + 1)

    def fault(location: float) -> float:
        return float(_positive(service, location) @ counts) - service.mean

    try:
        location = brentq(fault, -8.0, np.log(service.maximum) + 1.5, xtol=1e-13)
    except ValueError as error:
        raise ValueError(f"{service.name}: a mean of {service.mean:.3g} is out of reach") from error
    return _positive(service, float(location))


def moments(service: Service) -> tuple[float, float]:
    """Return mean and SD of a count over all people, zeros included."""
    weights, counts = positive_part(service), np.arange(1, service.maximum + 1)
    mean = (1 - service.zeros) * float(weights @ counts)
    square = (1 - service.zeros) * float(weights @ counts**2)
    return mean, float(np.sqrt(square - mean**2))


def with_effect(service: Service, effect: float) -> Service:
    """Return the service with `effect` more contacts per person, among those who use it."""
    return replace(service, mean=service.mean + effect / (1 - service.zeros)) if effect else service


def draw_counts(service: Service, latent: np.ndarray) -> np.ndarray:
    """Return the counts that belong to standard normal latent values (quantile transformation).

    Parameters
    ----------
    service : Service
        What is counted.
    latent : ndarray (n,)
        Standard normal; a higher value is more use.

    Returns
    -------
    ndarray of int (n,)
        Between 0 and the service's maximum.
    """
    below = service.zeros + (1 - service.zeros) * np.append(
        0.0, np.cumsum(positive_part(service))[:-1]
    )
    return np.searchsorted(ndtri(below), latent)


def draw_use(
    service: Service,
    need: np.ndarray,
    arm: np.ndarray,
    effect: float,
    parameters: Parameters,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the use of one service at both visits.

    Parameters
    ----------
    service : Service
        What is counted.
    need : ndarray (n, 2)
        Latent need at both visits.
    arm : ndarray of bool (n,)
        Who is in the intervention arm.
    effect : float
        Contacts per person that the intervention adds at six months.
    parameters : Parameters
        Loading on the need and correlation over the visits.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int (n, 2)
        Counts.
    """
    own = rng.standard_normal(need.shape)
    retest = parameters.service_retest
    own[:, 1] = retest * own[:, 0] + np.sqrt(1 - retest**2) * own[:, 1]
    loading = parameters.service_loading
    latent = loading * need + np.sqrt(1 - loading**2) * own
    first, later = draw_counts(service, latent[:, 0]), draw_counts(service, latent[:, 1])
    if effect:
        later = np.where(arm, draw_counts(with_effect(service, effect), latent[:, 1]), later)
    return np.stack([first, later], axis=1)
