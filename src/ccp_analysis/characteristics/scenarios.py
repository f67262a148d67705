"""What is taken to be true in drawn studies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ccp_analysis.characteristics.actual import Actual
from ccp_analysis.characteristics.trials import Truth, size_scores
from ccp_analysis.config.characteristics import AT_ESTIMATE
from ccp_analysis.config.models import Model
from ccp_analysis.config.plan import Analysis

# In residual standard deviations, or as a ratio of those of the arms.
VARIED, BY_SIZE, UNEQUAL = 0.3, 0.3, 2.0
# The odds of loss for each standard deviation by which somebody of the active arm fares worse.
ODDS_NOT_AT_RANDOM = 2.0
WITH_DIFFERENCE: Final = ", with the difference"
FLAGGED: Final = (AT_ESTIMATE, "upper limit of the ICC")

MOST = 0.99  # chance of being lost

Losses = Literal["as in the study", "not at random", "none"]


@dataclass(frozen=True)
class Scenario:
    """A scenario: what is true, in residual standard deviations, and who is lost."""

    name: str
    truth: Truth
    losses: Losses = "as in the study"

    @property
    def seeks(self) -> bool:
        """Whether there is a difference to be found."""
        return self.name.endswith(WITH_DIFFERENCE)

    def differences(self, actual: Actual) -> dict[str, float]:
        """Return the true difference of each analysis, in units of the outcome."""
        truth = self.truth
        return {
            entry.id: actual.sd * (truth.effect + _of_sizes(actual, entry, truth.effect_by_size))
            for entry in actual.entries
        }


def _of_sizes(actual: Actual, entry: Analysis, by_size: float) -> float:
    """Return what effects that go with size add: pairs count alike, or by their people."""
    if not by_size or entry.model == Model.TEAM_MEANS:
        return 0.0
    return by_size * float(size_scores(actual.layout)[0][actual.layout.team].mean())


def scenario(actual: Actual, name: str) -> Scenario | None:
    """Return a scenario of the plan; None where the study has not what it is about."""
    icc, effect, clustered = actual.icc.estimate, 0.0, bool(actual.layout.pair.max())
    alone = name.removesuffix(WITH_DIFFERENCE)
    if name != alone:
        if actual.difference is None:
            return None
        effect = actual.difference / actual.sd
    if "limit of the ICC" in name or "effects that" in name:
        if not clustered:
            return None
        icc = {"l": actual.icc.low, "u": actual.icc.high}.get(name[0], icc)
    # A share of all is none that people could have.
    icc = min(icc, 0.99)
    further: dict[str, dict[str, float | bool]] = {
        "unequal variances": {"sd_ratio": UNEQUAL},
        "effects that vary by pair": {"effect_by_pair": VARIED},
        "effects that go with size": {"effect_by_size": BY_SIZE},
        "skewed outcome": {"skewed": True},
    }
    if alone == "effects that go with size":
        # No difference on the average that the primary analysis estimates.
        effect -= _of_sizes(actual, actual.entry, BY_SIZE)
    truth = Truth(effect=effect, icc=icc, auxiliary=actual.auxiliary, **further.get(alone, {}))  # type: ignore[arg-type]
    losses: dict[str, Losses] = {"not missing at random": "not at random", "nothing lost": "none"}
    lost = losses.get(alone, "as in the study")
    if lost == "not at random" and not actual.method:
        return None
    return Scenario(name, truth, lost)


def chances(actual: Actual, losses: Losses, apart: np.ndarray) -> np.ndarray:
    """Return the chance of everyone to be lost, shape (draws, n).

    Not at random it depends on what sets people apart, `apart` (draws, n), in the active arm.
    """
    chance = np.broadcast_to(np.minimum(actual.chance, MOST), apart.shape)
    if losses != "not at random":
        return chance
    odds = chance / (1.0 - chance) * ODDS_NOT_AT_RANDOM ** (-apart * actual.layout.active)
    return odds / (1.0 + odds)
