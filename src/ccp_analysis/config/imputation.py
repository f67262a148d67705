"""How what is missing is imputed: a part of the statistical analysis plan."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ccp_analysis.config.reading import Name, Strict
from ccp_analysis.results.terms import Pooling


class PredictorChange(Strict):
    """Variables added to, or dropped from, the predictors that the rule chooses."""

    add: list[str] = []
    """Variables that predict it besides."""
    drop: list[str] = []
    """Variables that do not predict it."""


class ImputationPlan(Strict):
    """How what is missing is imputed.

    `bounds` bind the methods norm, lrd and 2l.norm; `derived` are formulas by name; `level` says of
    an instrument whether its score or its items are imputed; `not_after` are the events (as in the
    file of losses) after which a value that was not observed does not exist.
    """

    imputations: int = Field(ge=2)
    """How many completed tables."""
    iterations: int = Field(ge=1)
    """Rounds of the chains."""
    donors: int = Field(ge=1)
    """How many of the nearest are candidates for matching and local residuals."""
    auxiliary: list[str] = []
    """Variables offered to the imputation models beside those of any analysis."""
    methods: dict[str, Literal["norm", "pmm", "lrd", "logreg", "polyreg", "2l.norm"]] = {}
    """Variable and method, where the rule should not decide."""
    bounds: dict[str, tuple[float, float]] = {}
    """Variable and its lowest and highest value; they bind norm, lrd and 2l.norm."""
    predictors: dict[str, PredictorChange] = {}
    """Variable and what predicts it besides, or does not."""
    derived: dict[Name, str] = {}
    """Name and formula of a variable that follows from others."""
    level: dict[str, Literal["score", "items"]] = {}
    """Instrument, and whether its score or its items are imputed."""
    by_arm: bool = False
    """Whether each arm has imputation models of its own."""
    not_after: list[str] = []
    """Events after which a value that was not observed does not exist."""
    pooling: Pooling | None = None
    """Rule by which imputations are pooled wherever inference is by clusters; to be named where the
    study has clusters."""

    @model_validator(mode="after")
    def _bounds(self) -> ImputationPlan:
        for name, (low, high) in self.bounds.items():
            if not low < high:
                raise ValueError(f"bounds of '{name}': a lower and a higher value are expected")
        return self
