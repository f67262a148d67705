"""What was allocated to the arms: clusters with all of their people, or each person.

Whatever differs between the two is asked here: factors of the design, units, inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ccp_analysis.analyses.design import Sample, arm_contrasts
from ccp_analysis.config.study import Clusters, Study
from ccp_analysis.errors import RefusedError
from ccp_analysis.models.inference import Inference
from ccp_analysis.models.ols import OlsFit, classical
from ccp_analysis.models.robust import cluster_robust_f, cluster_robust_together
from ccp_analysis.models.small_sample import JointTest
from ccp_analysis.models.used_up import UsedUp
from ccp_analysis.models.weighted import WeightedFit, weighted_cluster_robust
from ccp_analysis.results import terms

Found = TypeVar("Found", Inference, JointTest)


@dataclass(frozen=True)
class Allocation:
    """The units that were allocated to the arms."""

    clusters: Clusters | None

    @property
    def declared(self) -> Clusters:
        """The clusters, in what is asked of them alone."""
        if self.clusters is None:
            raise ValueError("asked of a study without clusters")
        return self.clusters

    @property
    def factors(self) -> list[str]:
        """The variables that every design has as categories: the pair of clusters, if any."""
        return [self.clusters.pair] if self.clusters else []

    @property
    def unit_label(self) -> str:
        """What a unit is called."""
        return self.clusters.unit_label if self.clusters else "participant"

    @property
    def whole_label(self) -> str:
        """What the smallest unit that holds both arms is called, or one that can be left out."""
        return self.clusters.pair_label if self.clusters else "participant"

    def units(self, chosen: Sample) -> np.ndarray | None:
        """Return the code of each row's cluster, shape (n,); None where people were allocated."""
        return chosen.codes(self.clusters.unit) if self.clusters else None

    def pairs(self, chosen: Sample) -> np.ndarray | None:
        """Return the code of each row's pair of clusters, shape (n,); None as in `units`."""
        return chosen.codes(self.clusters.pair) if self.clusters else None

    def number(self, people: pd.DataFrame) -> int | None:
        """Return how many clusters there are; None where people were allocated."""
        return int(people[self.clusters.unit].nunique()) if self.clusters else None

    def robust(self, chosen: Sample, alone: str) -> dict[str, Any]:
        """Return groups and kind of a robust variance: CR2, or another where each is alone."""
        return {"groups": self.units(chosen), "kind": "CR2" if self.clusters else alone}

    def infer(
        self, chosen: Sample, fit: OlsFit, L: np.ndarray | None = None, *, robust: bool = False
    ) -> tuple[Inference, str]:
        """Infer by CR2 over the clusters, or by least squares; and name what was done.

        By default of the difference between the arms and of the mean of each. Without clusters
        `robust` is CR2 over people, which is HC2.
        """
        L = arm_contrasts(fit.coef.shape[-1]) if L is None else L
        if self.clusters is None and robust:
            return self.by_units(chosen, fit, L), terms.Inference.HC2
        if self.clusters is None:
            return classical(fit, L), terms.Inference.T
        return self.by_units(chosen, fit, L), terms.Inference.CR2

    def by_units(self, chosen: Sample, fit: OlsFit, L: np.ndarray) -> Inference:
        """Infer by CR2 over the clusters, or over people.

        A fit in which everyone stands several times has these copies below one another.
        """
        return self.together(chosen, [fit], [L])

    def together(
        self, chosen: Sample, fits: Sequence[OlsFit], Ls: Sequence[np.ndarray]
    ) -> Inference:
        """Infer from sums of contrasts of several models by CR2 over the clusters, or people."""
        groups = np.tile(self._independent(chosen), fits[0].residuals.shape[-1] // chosen.n)
        return self.named(chosen, cluster_robust_together(fits, groups, Ls, kind="CR2"))

    def weighted(self, chosen: Sample, fit: WeightedFit) -> Inference:
        """Infer of the arms by CR2, with weights taken as known."""
        L, groups = arm_contrasts(fit.whitened.coef.shape[-1]), self._independent(chosen)
        return self.named(chosen, weighted_cluster_robust(fit, groups, L))

    def jointly(self, chosen: Sample, fit: OlsFit, L: np.ndarray) -> JointTest:
        """Test contrasts at once by CR2 over the clusters, or over people (AHT)."""
        return self.named(chosen, cluster_robust_f(fit, self._independent(chosen), L))

    def named(self, chosen: Sample, found: Found) -> Found:
        """Give what single clusters use up the clusters' names; people have none."""
        used = found.used_up
        return found if used is None else replace(found, used_up=self._named(chosen, used))

    def _named(self, chosen: Sample, used: UsedUp) -> UsedUp:
        if self.clusters is None:
            return replace(used, label=self.unit_label)
        labels = chosen.first[self.clusters.unit].astype(str)
        names = dict(zip(chosen.codes(self.clusters.unit).tolist(), labels, strict=True))
        return replace(used, label=self.unit_label, names=names)

    def _independent(self, chosen: Sample) -> np.ndarray:
        codes = self.units(chosen)
        if codes is not None:
            return codes
        return chosen.codes("person") if "person" in chosen.frame else np.arange(chosen.n)


def allocated(study: Study) -> Allocation:
    """Return what a study allocated."""
    return Allocation(study.clusters)


def require_inference(found: Inference) -> None:
    """Raise RefusedError where single clusters use up too much of a contrast."""
    if found.used_up is not None and found.used_up.refused.any():
        raise RefusedError(found.used_up.sentence())
