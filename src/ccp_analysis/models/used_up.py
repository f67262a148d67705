"""What single clusters use up: directions of a contrast that no variation between clusters judges.

Where a cluster alone identifies a direction of the design, the fit follows it there: its residuals
have no part in that direction, and a sandwich counts nothing for it. The share of a contrast that
lies there says how much of its variance is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ccp_analysis.models.contributions import Index

# A direction is a cluster's own when no more than this share of it is left in the other clusters.
OWN_TOLERANCE = 1e-10
# With less than this in the others the fit follows the cluster all but there, as where a property
# of a team is written down person by person with other last digits. Much more would refuse designs
# that hold their level.
NEARLY_OWN = 1e-8
# Above this share of a contrast on directions of single clusters there is no inference. Designs
# that leave something to compare have less than .001, others more than half.
LARGEST_SHARE = 0.01
# Fewer degrees of freedom than one are no inference either; a hair below is rounding.
LEAST_DF = 1.0 - 1e-9


@dataclass(frozen=True)
class UsedUp:
    """How much of each contrast single clusters use up, arrays of shape (..., k).

    Attributes
    ----------
    share : numpy.ndarray
        Share of the contrast's variance, under independent errors of equal variance, that lies on
        directions which one cluster alone identifies; from 0 to 1.
    largest : numpy.ndarray
        The part of it that the cluster with the largest part holds.
    cluster : numpy.ndarray of int
        Code of this cluster.
    label : str
        What a cluster is called.
    names : mapping of int to str
        Name of each code; empty where they have none.
    """

    share: np.ndarray
    largest: np.ndarray
    cluster: np.ndarray
    label: str = "cluster"
    names: Mapping[int, str] = field(default_factory=dict)

    @property
    def refused(self) -> np.ndarray:
        """Whether too much is used up for an inference, shape (..., k)."""
        return self.share > LARGEST_SHARE

    def part(self, where: Index, shape: tuple[int, ...]) -> UsedUp:
        """Return what an index of NumPy picks of the arrays, first broadcast to a shape."""
        share, largest, cluster = (
            np.broadcast_to(v, shape)[where] for v in (self.share, self.largest, self.cluster)
        )
        return UsedUp(share, largest, cluster, self.label, self.names)

    def sentence(self) -> str:
        """Say what is used up, where it is most; empty where no inference is refused."""
        if not self.refused.any():
            return ""
        at = int(np.argmax(self.share))
        total, largest, code = (
            float(np.ravel(v)[at]) for v in (self.share, self.largest, self.cluster)
        )
        who = f"{self.label} '{self.names[int(code)]}'" if self.names else f"one {self.label}"
        rest = total - largest
        others = f", and other single {self.label}s {_percent(rest)}" * (rest > LARGEST_SHARE)
        return (
            f"{who} alone identifies {_percent(largest)} of what the comparison rests on{others}: "
            f"nothing sets what is particular to a {self.label} apart from it"
        )


def own_directions(values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Keep the eigenvectors of S_g with eigenvalues near 1, else zero, shape (..., G, p, p)."""
    return vectors * (1.0 - values <= NEARLY_OWN)[..., None, :]


def used_up(own: np.ndarray, directions: np.ndarray, codes: np.ndarray) -> UsedUp:
    """Return what single clusters use up of contrasts (..., k, p) in the orthonormal basis.

    Directions of different clusters are orthogonal (the S_g add up to the identity), so shares add.
    """
    parts = parts_used_up(own, directions[..., None, :, :])
    return added_up(parts, np.square(directions).sum(axis=-1), codes)


def parts_used_up(own: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return the squared length (..., G, k) on directions of each cluster alone.

    Contrasts (..., G or 1, k, q) are in the columns that each cluster touches.
    """
    return np.square(directions @ own).sum(axis=-1)


def added_up(parts: np.ndarray, whole: np.ndarray, codes: np.ndarray) -> UsedUp:
    """Return what is used up, from parts (..., G, k) of whole squared lengths (..., k)."""
    whole = whole[..., None, :]
    return _largest(parts / np.where(whole > 0.0, whole, 1.0), codes)


def used_up_jointly(own: np.ndarray, directions: np.ndarray, codes: np.ndarray) -> UsedUp:
    """Return what is used up of the combination of contrasts (..., q, p) that loses most.

    The largest eigenvalue of what is lost against the whole, arrays of shape (..., 1).
    """
    span, _ = np.linalg.qr(np.swapaxes(directions, -1, -2))
    crossed = np.swapaxes(span, -1, -2)[..., None, :, :] @ own
    lost = crossed @ np.swapaxes(crossed, -1, -2)
    _, vectors = np.linalg.eigh(lost.sum(axis=-3))
    worst = vectors[..., None, :, -1:]
    return _largest((np.swapaxes(worst, -1, -2) @ lost @ worst)[..., 0], codes)


def _largest(parts: np.ndarray, codes: np.ndarray) -> UsedUp:
    """Sum parts (..., G, k) over the clusters, and find the largest."""
    return UsedUp(parts.sum(axis=-2), parts.max(axis=-2), codes[parts.argmax(axis=-2)])


def _percent(share: float) -> str:
    return f"{100.0 * share:.0f}%"
