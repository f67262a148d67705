"""How the plan itself is tried on drawn studies: a part of the statistical analysis plan."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field, model_validator

from ccp_analysis.config.reading import Strict

BLOCK: Final = 20
"""Drawn studies that share a random stream."""
WHOLE_BATCH: Final = 10
"""Drawn studies of a job that imputes them by all models; some seconds each."""
AT_ESTIMATE: Final = "as estimated"
WHOLE: Final = "as estimated, imputed by all models"
ScenarioName = Literal[
    "as estimated",
    "as estimated, with the difference",
    "lower limit of the ICC",
    "upper limit of the ICC",
    "upper limit of the ICC, with the difference",
    "unequal variances",
    "effects that vary by pair",
    "effects that go with size",
    "skewed outcome",
    "not missing at random",
    "nothing lost",
]
EVERY: Final[tuple[ScenarioName, ...]] = ScenarioName.__args__  # type: ignore[attr-defined]


class Characteristics(Strict):
    """Operating characteristics of the plan: what its analyses do when the truth is known.

    Studies are drawn on the teams, covariates, losses and variances of this one, lose values,
    are imputed by the primary outcome's own model and analysed as planned. All numbers of draws
    are multiples of 20.
    """

    form: Literal["quick", "full", "off"] = "quick"
    """What a run of the study draws: one scenario and the primary analysis alone, everything, or
    nothing. `make characteristics` draws everything whatever stands here."""
    quick: int = Field(default=2000, ge=BLOCK, multiple_of=BLOCK)
    """Studies of the quick form: no difference, the intraclass correlation as estimated."""
    draws: int = Field(default=10_000, ge=BLOCK, multiple_of=BLOCK)
    """Studies of each scenario of the full form."""
    whole: int = Field(default=200, ge=0, multiple_of=BLOCK)
    """Studies of the full form that are imputed by all models of the plan; a few seconds each."""
    batch: int = Field(default=1000, ge=BLOCK, multiple_of=BLOCK)
    """Studies that one job draws; no number hangs on it."""
    scenarios: list[ScenarioName] = list(EVERY)
    """What is taken to be true in the full form."""

    @model_validator(mode="after")
    def _estimated(self) -> Characteristics:
        if AT_ESTIMATE not in self.scenarios or len(set(self.scenarios)) < len(self.scenarios):
            raise ValueError(f"scenarios: each once, and among them '{AT_ESTIMATE}'")
        return self

    def scenarios_of(self, form: str) -> list[str]:
        """Return what is taken to be true in a form."""
        return [AT_ESTIMATE] if form == "quick" else list(self.scenarios)

    def batches(self, form: str) -> list[tuple[str, int]]:
        """Return the jobs of a form, scenario and number of the batch; none where it is off."""
        if form == "off":
            return []
        draws = self.quick if form == "quick" else self.draws
        numbers = range(-(-draws // self.batch))
        return [(name, k) for name in self.scenarios_of(form) for k in numbers]

    def blocks(self, form: str, batch: int) -> range:
        """Return the blocks of a batch: draws of a block share a stream, whatever the batch."""
        draws = self.quick if form == "quick" else self.draws
        first, last = (min(at * self.batch, draws) // BLOCK for at in (batch, batch + 1))
        return range(first, last)


def slug(name: str) -> str:
    """Return the name of a scenario as a part of file names."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
