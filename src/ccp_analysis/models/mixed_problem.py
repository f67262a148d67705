"""What the search for the covariances of a mixed model minimises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.models.mixed_algebra import (
    PROPER,
    VisitAlgebra,
    least_eigenvalue,
    of_patterns,
)
from ccp_analysis.models.mixed_moments import VisitMoments
from ccp_analysis.models.mixed_structures import Joint
from ccp_analysis.models.newton import Slopes


@dataclass(frozen=True)
class Problem:
    """The criterion in the free coordinates of the covariances."""

    moments: VisitMoments
    joint: Joint
    reml: bool

    def take(self, fits: np.ndarray) -> Problem:
        """Return the problem of some of the fits."""
        return Problem(self.moments.take(fits), self.joint, self.reml)

    def algebra(self, free: np.ndarray) -> VisitAlgebra:
        """Return the criterion at these coordinates, with what it is made of."""
        return VisitAlgebra(self.moments, *self.joint.covariances(free), self.reml)

    def value(self, free: np.ndarray) -> np.ndarray:
        """Return the criterion, infinite where a covariance is not proper."""
        person, team = self.joint.covariances(free)
        proper = least_eigenvalue(person) > PROPER
        if not proper.all():
            # The covariance may be singular where nobody was seen at all the visits.
            by_pattern = least_eigenvalue(of_patterns(self.moments, person))
            proper = np.all(by_pattern > PROPER, axis=-1)
        if team is not None:
            proper &= np.isfinite(team).all(axis=(-2, -1))
            team = np.where(proper[:, None, None], team, 0.0)
        person = np.where(proper[:, None, None], person, np.eye(self.joint.person.visits))
        found = VisitAlgebra(self.moments, person, team, self.reml).value
        return np.where(proper, found, np.inf)

    def slopes(self, free: np.ndarray) -> Slopes:
        """Return the criterion with its derivatives."""
        algebra, jacobian = self.algebra(free), self.joint.jacobian(free)
        turned = np.swapaxes(jacobian, -1, -2)
        curvature = self.joint.curvature(free, algebra.gradient)
        # Where a root of a variance is zero the information vanishes; its curvature does not.
        lifted = np.abs(np.diagonal(curvature, axis1=-2, axis2=-1))[:, :, None] * np.eye(
            free.shape[1]
        )
        return Slopes(
            algebra.value,
            (jacobian @ algebra.gradient[:, :, None])[:, :, 0],
            jacobian @ algebra.observed @ turned + curvature,
            jacobian @ algebra.expected @ turned + lifted,
        )
