"""Weights that make the arms alike in what was measured of people, within each imputation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import ACTIVE, Sample, design, said
from ccp_analysis.config.confounding import Confounding
from ccp_analysis.config.study import Study
from ccp_analysis.errors import RefusedError
from ccp_analysis.models.balance import effective_sizes
from ccp_analysis.models.weighting import entropy_weights, overlap_weights
from ccp_analysis.models.weighting_pairs import Weights
from ccp_analysis.results.terms import Model, Status


@dataclass(frozen=True)
class Weighed:
    """Weights of the people of a sample.

    Attributes
    ----------
    weights : numpy.ndarray
        Of sum one in each arm, shape (m, n).
    propensity : numpy.ndarray or None
        Probability of the active arm, shape (m, n), of overlap weights.
    arm : numpy.ndarray
        Whether people are in the active arm, 0 or 1, shape (n,).
    """

    weights: np.ndarray
    propensity: np.ndarray | None
    arm: np.ndarray

    def sizes(self, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return effective sizes and largest shares by group, averaged over imputations; (G,)."""
        sizes, shares = effective_sizes(self.weights, groups)
        return sizes.mean(axis=0), shares.mean(axis=0)


def balanced_by(asked: Confounding, baseline: str) -> list[str]:
    """Return what is balanced: the outcome's own baseline, then the plan's covariates."""
    return list(dict.fromkeys([*([baseline] if baseline else []), *asked.covariates]))


def weigh(study: Study, chosen: Sample, model: str, asked: Confounding, baseline: str) -> Weighed:
    """Weigh people by one of the weighted models.

    Raises
    ------
    RefusedError
        If the smaller arm is too small for what is to be balanced, or in any imputation something
        stands in the way, which is named.
    """
    # In an order of their own, so that outcomes which balance the same columns share the weights.
    X = design(chosen, sorted(balanced_by(asked, baseline)), [])
    names = [said(column) for column in X.columns[2:]]
    arm = chosen.stacked(ACTIVE)[0].astype(int)
    fewest, needed = int(np.bincount(arm).min()), asked.people_per_column * len(names)
    if fewest < needed:
        raise RefusedError(
            f"{len(names)} columns to balance ask for {needed:.0f} people in the smaller arm, "
            f"which has {fewest}; expected fewer covariates in confounding"
        )
    pair = allocated(study).pairs(chosen)
    columns = np.ascontiguousarray(X.own[..., 2:])
    of_people = arm.tobytes(), None if pair is None else pair.astype(int).tobytes()
    found = _weights(
        model, columns.tobytes(), columns.shape, *of_people, tuple(names), asked.largest_share
    )
    bad = found.status != Status.OK
    if bad.any():
        why = str(found.note[bad][0]).rstrip(".")
        where = f"in {bad.sum()} of {bad.size} imputations: " if chosen.imputed else ""
        raise RefusedError(f"{where}{why[0].lower()}{why[1:]}")
    return Weighed(found.weights, found.propensity, arm)


@lru_cache(maxsize=2)
def _weights(
    model: str,
    columns: bytes,
    shape: tuple[int, ...],
    arm: bytes,
    pair: bytes | None,
    names: tuple[str, ...],
    limit: float,
) -> Weights:
    """Weigh people by columns (m, n, p) given as bytes, by which repeated weights are known."""
    X = np.frombuffer(columns).reshape(shape)
    people = np.frombuffer(arm, dtype=int)
    pairs = None if pair is None else np.frombuffer(pair, dtype=int)
    if model == Model.OVERLAP:
        return overlap_weights(X, people, pairs, names=list(names), limit=limit)
    return entropy_weights(X, people, pairs, target="all", names=list(names), limit=limit)
