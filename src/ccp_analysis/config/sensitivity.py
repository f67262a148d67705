"""What is asked beside missing at random: a part of the statistical analysis plan."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ccp_analysis.config.reading import Name, Strict

Strategy = Literal["MAR", "JR", "CR", "CIR", "LMCF"]


class Scenario(Strict):
    """What is assumed of those who were lost: a strategy, others by reason, and deltas by arm."""

    strategy: Strategy
    """What is assumed of those who were lost."""
    id: str | None = None
    """Name, where a strategy stands in several scenarios."""
    reasons: dict[str, Strategy] = {}
    """Reason of loss and another strategy for it."""
    delta: dict[str, float] = {}
    """Arm and what is added to its imputed values."""

    @property
    def name(self) -> str:
        """Its id, otherwise its strategy."""
        return self.id or self.strategy


class ReferenceBased(Strict):
    """Reference-based imputation, analysed by ANCOVA at every follow-up.

    `variances`: the jackknife of conditional means (repeated-sampling) and Rubin's rules over draws
    (information-anchored). `resample`: what the jackknife leaves out; by default a participant,
    with clusters a pair of them.
    """

    id: Name
    """Name of the sensitivity analysis, for the results."""
    outcomes: list[str] = Field(min_length=1)
    """Outcomes it is for."""
    scenarios: list[Scenario] = Field(min_length=1)
    """What is assumed, one row of results each."""
    variances: list[Literal["jackknife", "draws"]] = ["jackknife", "draws"]
    """Jackknife of conditional means (repeated-sampling), and Rubin's rules over draws
    (information-anchored)."""
    resample: Literal["participant", "unit", "pair"] | None = None
    """What the jackknife leaves out; by default a participant, with clusters a pair of them."""

    @model_validator(mode="after")
    def _own_names(self) -> ReferenceBased:
        names = [scenario.name for scenario in self.scenarios]
        if len(set(names)) < len(names):
            raise ValueError("scenarios: every scenario needs an id of its own")
        return self


class Delta(Strict):
    """Deltas added to what was imputed for an analysis of the plan, which is then repeated.

    `deltas` in units of the outcome; `directions`: name, then arm and the multiple of the delta
    that it gets; `reasons`: multiple by reason of loss, 1 where not named; `limit`: how far tipping
    points are sought, by default ten times the largest delta; `map_steps`: points of the map along
    each axis, by default the deltas.
    """

    id: Name
    """Name of the sensitivity analysis, for the results."""
    analysis: str
    """The analysis of imputed data that is repeated."""
    outcomes: list[str] = Field(min_length=1)
    """Outcomes it is for."""
    deltas: list[float] = Field(min_length=2)
    """What is added to imputed values, in units of the outcome."""
    directions: dict[str, dict[str, float]] = Field(min_length=1)
    """Name of a direction, then arm and the multiple of the delta that it gets."""
    reasons: dict[str, float] = {}
    """Reason of loss and the multiple of the delta for it, 1 where not named."""
    limit: float | None = Field(default=None, gt=0)
    """How far tipping points are sought; ten times the largest delta unless given."""
    map_steps: int | None = Field(default=None, ge=2, le=201)
    """Points of the map along each axis; the deltas unless given."""

    @model_validator(mode="after")
    def _sensible(self) -> Delta:
        if len(set(self.deltas)) < len(self.deltas) or not any(self.deltas):
            raise ValueError("deltas: different values are expected, and not zero alone")
        for name, arms in self.directions.items():
            if not any(arms.values()):
                raise ValueError(f"directions: '{name}' changes nothing in any arm")
        return self

    @property
    def reach(self) -> float:
        """How far tipping points are sought."""
        return self.limit or 10.0 * max(abs(delta) for delta in self.deltas)


class Sensitivity(Strict):
    """Analyses of how far the result leans on values being missing at random."""

    reference_based: list[ReferenceBased] = []
    """Reference-based imputation of those who were lost."""
    delta: list[Delta] = []
    """Deltas added to what was imputed."""
