"""Inference over the clusters of the study, which says by name what single clusters use up."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from ccp_analysis.analyses.design import Sample
from ccp_analysis.config.study import Study
from ccp_analysis.errors import RefusedError
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import OlsFit, classical
from ccp_analysis.models.robust import cluster_robust, cluster_robust_f
from ccp_analysis.models.small_sample import JointTest
from ccp_analysis.models.used_up import UsedUp
from ccp_analysis.results import terms

Found = TypeVar("Found", Inference, JointTest)


def infer(study: Study, chosen: Sample, fit: OlsFit, L: np.ndarray) -> tuple[Inference, str]:
    """Infer by CR2 over the clusters, without clusters by least squares; and name what was done."""
    if study.clusters is None:
        return classical(fit, L), terms.Inference.T
    return by_clusters(study, chosen, fit, L), terms.Inference.CR2


def by_clusters(study: Study, chosen: Sample, fit: OlsFit, L: np.ndarray) -> Inference:
    """Infer by CR2 over the clusters, or over people where there are none.

    A fit in which everyone stands several times has these copies below one another.
    """
    groups = np.tile(_codes(study, chosen), fit.X.shape[-2] // chosen.n)
    return named(study, chosen, cluster_robust(fit, groups, L, kind="CR2"))


def jointly(study: Study, chosen: Sample, fit: OlsFit, L: np.ndarray) -> JointTest:
    """Test contrasts at once by CR2 over the clusters (AHT)."""
    return named(study, chosen, cluster_robust_f(fit, _codes(study, chosen), L))


def named(study: Study, chosen: Sample, found: Found) -> Found:
    """Give what single clusters use up the clusters' names; people have none."""
    used = found.used_up
    return found if used is None else replace(found, used_up=_named(study, chosen, used))


def _named(study: Study, chosen: Sample, used: UsedUp) -> UsedUp:
    if study.clusters is None:
        return replace(used, label="participant")
    unit = study.clusters.unit
    names = dict(zip(chosen.codes(unit).tolist(), chosen.first[unit].astype(str), strict=True))
    return replace(used, label=study.clusters.unit_label, names=names)


def require_inference(found: Inference) -> None:
    """Raise RefusedError where single clusters use up too much of a contrast."""
    if found.used_up is not None and found.used_up.refused.any():
        raise RefusedError(found.used_up.sentence())


def _codes(study: Study, chosen: Sample) -> np.ndarray:
    if study.clusters:
        return chosen.codes(study.clusters.unit)
    return chosen.codes("person") if "person" in chosen.frame else np.arange(chosen.n)
