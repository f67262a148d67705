"""The statistical analysis plan: outcomes, models, imputation, and what is asked beside them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ccp_analysis.errors import StudyError
from ccp_analysis.reading import Strict

PLAN = Path("config/analysis.yaml")
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Power = Annotated[float, Field(gt=0, lt=1)]


class Outcome(Strict):
    """An outcome of the plan: an instrument or a variable measured at the visits."""

    id: Name
    role: Literal["primary", "secondary"]
    label: str | None = None
    benefit: Literal["higher", "lower"] | None = None


class ImputationPlan(Strict):
    """How what is missing is imputed."""

    imputations: int = Field(ge=2)
    iterations: int = Field(ge=1)
    donors: int = Field(ge=1)
    auxiliary: list[str] = []
    methods: dict[str, Literal["norm", "pmm"]] = {}


Model = Literal[
    "ancova",  # follow-up on arm, baseline, pair, covariates
    "change",  # follow-up less baseline on arm, pair, covariates
    "did",  # arm by visit in the long table: difference in differences
    "mixed",  # ancova with a random cluster intercept
    "team-means",  # paired analysis of baseline-adjusted cluster means
    "repeated",  # random person intercept over all follow-ups
    "mmrm",  # unstructured covariance over all follow-ups, arm by visit
    "clda",  # the baseline as a visit with a common mean
    "logistic",  # binary outcome
    "poisson",  # count outcome
]
LONGITUDINAL = ("repeated", "mmrm", "clda")


class Analysis(Strict):
    """One planned analysis, fitted to each of its outcomes."""

    id: Name
    role: Literal["primary", "supporting", "sensitivity"]
    model: Model
    data: Literal["imputed", "observed"]
    visit: str | None = None
    outcomes: list[str] | None = None

    @model_validator(mode="after")
    def _visit(self) -> Analysis:
        if (self.visit is None) != (self.model in LONGITUDINAL):
            raise ValueError(
                "a visit is expected, except for a longitudinal model "
                f"({', '.join(LONGITUDINAL)}), which has them all"
            )
        return self


class Family(Strict):
    """Hypotheses that are tested together, and how their p-values are adjusted."""

    id: Name
    analysis: str
    outcomes: list[str] = Field(min_length=1)
    method: Literal["holm", "hochberg", "benjamini-hochberg"]


class Subgroup(Strict):
    """A planned subgroup analysis: the arm's interaction with a baseline variable."""

    variable: str
    analysis: str
    outcomes: list[str] = Field(min_length=1)


class SampleSize(Strict):
    """What the study was planned to detect; the report sets it beside what was achieved."""

    outcome: str
    difference: float = Field(gt=0)
    sd: float = Field(gt=0)
    icc: float = Field(ge=0, lt=1)
    retest: float = Field(ge=0, lt=1)
    participants: int = Field(ge=4)
    clusters: int = Field(ge=4)


class Plan(Strict):
    """The statistical analysis plan: ``config/analysis.yaml``."""

    seed: int = Field(ge=0)
    confidence_level: float = Field(gt=0.5, lt=1)
    estimand: str
    outcomes: list[Outcome] = Field(min_length=1)
    covariates: list[str]
    baseline_table: list[str] = []
    imputation: ImputationPlan
    analyses: list[Analysis] = Field(min_length=1)
    families: list[Family] = []
    subgroups: list[Subgroup] = []
    checks: list[str] = []
    power: Power = 0.8
    planned: SampleSize | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Plan:
        ids = [a.id for a in self.analyses]
        if len(set(ids)) < len(ids) or {"descriptive", "economics"} & set(ids):
            raise ValueError(
                "analyses: every id must be its own, and none 'descriptive' or 'economics'"
            )
        known = {o.id for o in self.outcomes}
        if len(known) < len(self.outcomes):
            raise ValueError("outcomes: every outcome may stand once")
        for analysis in self.analyses:
            _among(f"analysis '{analysis.id}'", analysis.outcomes or (), known, "outcomes")
        for family in self.families:
            _among(f"family '{family.id}'", family.outcomes, known, "outcomes")
            _among(f"family '{family.id}'", [family.analysis], ids, "analyses")
        for subgroup in self.subgroups:
            _among(f"subgroup '{subgroup.variable}'", subgroup.outcomes, known, "outcomes")
            _among(f"subgroup '{subgroup.variable}'", [subgroup.analysis], ids, "analyses")
        _among("checks", self.checks, ids, "analyses")
        if self.planned:
            _among("planned", [self.planned.outcome], known, "outcomes")
        return self

    def analysis(self, analysis: str) -> Analysis:
        """Return the analysis of that id; StudyError if there is none."""
        for candidate in self.analyses:
            if candidate.id == analysis:
                return candidate
        raise StudyError(f"{PLAN}: there is no analysis '{analysis}'.")

    def outcomes_of(self, analysis: Analysis) -> list[Outcome]:
        """Return the outcomes to which an analysis is fitted, in the plan's order."""
        wanted = analysis.outcomes
        return [o for o in self.outcomes if wanted is None or o.id in wanted]


def _among(where: str, names: Collection[str], known: Collection[str], what: str) -> None:
    """Raise ValueError for the first name that is not known."""
    for name in sorted(set(names) - set(known)):
        raise ValueError(f"{where}: '{name}' is not one of the {what}")
