"""The statistical analysis plan: outcomes, models, imputation, and what is asked beside them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, GetPydanticSchema, model_validator

from ccp_analysis.config.characteristics import Characteristics
from ccp_analysis.config.confounding import Confounding
from ccp_analysis.config.estimands import Estimand, estimand_faults
from ccp_analysis.config.imputation import ImputationPlan
from ccp_analysis.config.models import (
    AVERAGED,
    LONGITUDINAL,
    OVER_VISITS,
    PLANNED,
    POOLED,
    ROBUST,
    SHIFTABLE,
    SUBGROUPED,
)
from ccp_analysis.config.next_study import NextStudy, next_study_faults
from ccp_analysis.config.reading import Name, Strict, among, load, place
from ccp_analysis.config.sensitivity import Delta, ReferenceBased, Sensitivity
from ccp_analysis.config.study import Clusters
from ccp_analysis.errors import StudyError, few
from ccp_analysis.layout import PLAN, STUDY
from ccp_analysis.results import terms
from ccp_analysis.results.terms import Pooling

Power = Annotated[float, Field(gt=0, lt=1)]


class Outcome(Strict):
    """An outcome of the plan: an instrument or a variable measured at the visits."""

    id: Name
    """An instrument, or a variable measured at the visits."""
    role: Literal["primary", "secondary"]
    """Whether the study stands or falls with it."""
    label: str | None = None
    """What it is called, where the instrument or dictionary does not say it."""
    benefit: Literal["higher", "lower"] | None = None
    """Which values are the better ones, where the instrument does not say it."""


# Which words there are is known where the models are declared, not to a type checker.
Model = Annotated[str, GetPydanticSchema(lambda _, schema_of: schema_of(Literal[PLANNED]))]
# What the pipeline itself calls parts of the results.
RESERVED = (
    *("balance", "characteristics", "descriptive", "dose_response", "economics", "implementation"),
    *("next_study", "sample_size", "sensitivity", "takers", "unmeasured"),
)


class Analysis(Strict):
    """One planned analysis, fitted to each of its outcomes."""

    id: Name
    """Name of the analysis, for the results and other parts of the plan."""
    role: Literal["primary", "supporting", "sensitivity"]
    """What part it plays; a primary one that fails on a primary outcome stops the run."""
    model: Model
    """What is fitted."""
    data: Literal["imputed", "observed"]
    """Whether completed tables or what was observed."""
    visit: str | None = None
    """Where the outcome is taken; of a model with a difference at every follow-up the visit that
    stands for it, by default the last."""
    outcomes: list[str] | None = None
    """Outcomes it is fitted to; all unless given."""
    baseline: Literal["by-visit", "one-slope"] | None = None
    """Of an mmrm: a slope of the baseline at every visit, or one for all."""
    pooling: Pooling | None = None
    """Rule by which its imputations are pooled, where it is not that of the plan."""
    variance: Literal["equal", "robust"] = "equal"
    """Of an ancova or change where people were allocated: one residual variance, or HC2 with
    the degrees of freedom of Bell and McCaffrey, which allows for unequal ones."""

    @model_validator(mode="after")
    def _variance(self) -> Analysis:
        if self.variance == "robust" and self.model not in ROBUST:
            raise ValueError(f"variance: robust goes with the models {', '.join(ROBUST)}")
        return self

    @model_validator(mode="after")
    def _pooled(self) -> Analysis:
        models = AVERAGED if self.pooling == Pooling.AVERAGED else POOLED
        if self.pooling is not None and not (self.data == "imputed" and self.model in models):
            raise ValueError(
                f"pooling: {self.pooling} goes with imputed data and the models {', '.join(models)}"
            )
        return self

    @model_validator(mode="after")
    def _visit(self) -> Analysis:
        if self.visit is None and self.model not in LONGITUDINAL:
            raise ValueError(
                "a visit is expected, except for a longitudinal model "
                f"({', '.join(LONGITUDINAL)}), which has them all"
            )
        if self.visit is not None and self.model == "repeated":
            raise ValueError(
                "visit does not go with model: repeated, whose one difference is an average over "
                f"all follow-ups; expected no visit, or one of the models {', '.join(OVER_VISITS)}"
            )
        return self

    @model_validator(mode="after")
    def _baseline(self) -> Analysis:
        if self.baseline is not None and self.model != "mmrm":
            raise ValueError(f"baseline: {self.baseline} goes with model: mmrm only")
        return self

    @property
    def fit(self) -> str:
        """The model that is fitted, as rows of the results name it: an mmrm is one of two."""
        one_slope = self.baseline == "one-slope"
        return terms.Model.MMRM_ONE_SLOPE if one_slope else self.model


class Family(Strict):
    """Hypotheses that are tested together, and how their p-values are adjusted."""

    id: Name
    """Name of the family, for the results."""
    analysis: str
    """The analysis whose hypotheses it holds."""
    outcomes: list[str] = Field(min_length=1)
    """The hypotheses, one for each outcome."""
    method: Literal["holm", "hochberg", "benjamini-hochberg"]
    """How p-values are adjusted for their number."""


class Subgroup(Strict):
    """A planned subgroup analysis: the arm's interaction with a baseline variable."""

    variable: str
    """Baseline variable whose interaction with the arm is estimated."""
    analysis: str
    """The analysis, of the model ancova, in which it is."""
    outcomes: list[str] = Field(min_length=1)
    """Outcomes for which it is planned."""


class SampleSize(Strict):
    """What the study was planned to detect; the report sets it beside what was achieved.

    `sd` within arms at follow-up; `retest` the correlation of baseline and follow-up; participants
    in both arms with a follow-up. `source` says where the figures come from.
    """

    outcome: str
    """The outcome it was planned for."""
    difference: float = Field(gt=0)
    """Difference that was to be detected, in its units."""
    sd: float = Field(gt=0)
    """Standard deviation within arms at follow-up."""
    icc: float | None = Field(default=None, ge=0, lt=1)
    """Intraclass correlation of clusters; needed, as their number is, where there are any."""
    retest: float = Field(ge=0, lt=1)
    """Correlation of baseline and follow-up."""
    participants: int = Field(ge=4)
    """Participants with a follow-up, both arms."""
    clusters: int | None = Field(default=None, ge=4)
    """Clusters, both arms."""
    source: str | None = None
    """Where the figures come from; printed beside them."""
    assumed: bool = False
    """Whether they are not those of the protocol: the report then says what would have been."""


class Plan(Strict):
    """The statistical analysis plan: ``config/analysis.yaml``.

    `estimand` is the one that is estimated by every analysis that none of the `estimands` names.
    """

    version: str = ""
    """Version of the plan, as it stands on the report."""
    date: dt.date | None = None
    """Date of this version."""
    seed: int = Field(ge=0)
    """Seed of all random numbers of the study."""
    confidence_level: float = Field(gt=0.5, lt=1)
    """Of every interval."""
    estimand: str
    """Id of what is estimated by every analysis that no entry of estimands names."""
    estimands: list[Estimand] = []
    """What is estimated, by the attributes of ICH E9(R1)."""
    outcomes: list[Outcome] = Field(min_length=1)
    """Outcomes in the order of the report."""
    covariates: list[str]
    """Baseline covariates of every model, beside the own baseline."""
    baseline_table: list[str] = []
    """Variables of the table of baseline characteristics."""
    ordinal_as_numbers: list[str] = []
    """Ordinal variables whose codes are analysed as numbers."""
    imputation: ImputationPlan
    """How what is missing is imputed, and how imputations are pooled."""
    analyses: list[Analysis] = Field(min_length=1)
    """Analyses in the order of the report."""
    families: list[Family] = []
    """Hypotheses that are tested together."""
    subgroups: list[Subgroup] = []
    """Planned subgroup analyses."""
    checks: list[str] = []
    """Analyses whose assumptions are checked."""
    power: Power = 0.8
    """At which detectable differences are given."""
    confounding: Confounding | None = None
    """What is done because arms were not allocated at random; of such a study alone."""
    planned: SampleSize | None = None
    """What the study was planned to detect."""
    next_study: NextStudy | None = None
    """How large a next trial of the same design should be; nothing is said where it is left out."""
    sensitivity: Sensitivity | None = None
    """How far the result leans on values being missing at random."""
    characteristics: Characteristics = Characteristics()
    """What the planned analyses do in drawn studies whose truth is known."""

    def references(self) -> Iterator[str]:
        """Yield analyses, outcomes and ids that are named and do not stand in the plan."""
        ids, known = self._ids(), {outcome.id for outcome in self.outcomes}
        if len(set(ids)) < len(ids) or set(RESERVED) & set(ids):
            yield f"analyses: every id must be its own, and none of {', '.join(RESERVED)}"
        if len(known) < len(self.outcomes):
            names = [outcome.id for outcome in self.outcomes]
            twice = few(f"'{name}'" for name in sorted(known) if names.count(name) > 1)
            yield f"outcomes: every outcome may stand once; not so {twice}"
        for analysis in self.analyses:
            where = f"analysis '{analysis.id}'"
            yield from among(where, analysis.outcomes or (), known, "outcomes")
        yield from self._of_families(known)
        yield from self._of_subgroups(known)
        yield from among("checks", self.checks, ids, "analyses")
        if self.planned:
            yield from among("planned", [self.planned.outcome], known, "outcomes")
        yield from next_study_faults(self.next_study, known)
        yield from self._of_sensitivity(known)
        named = [*ids, *(entry.id for entry in self._sensitivities())]
        yield from estimand_faults(self.estimands, self.estimand, named, known)

    def _fitted(self, where: str, name: str, outcomes: list[str], known: set[str]) -> Iterator[str]:
        """Yield outcomes that are unknown, or not those of an analysis; an unknown analysis."""
        yield from among(where, outcomes, known, "outcomes")
        yield from among(where, [name], self._ids(), "analyses")
        if name in self._ids() and known.issuperset(self.analysis(name).outcomes or ()):
            fitted = {outcome.id for outcome in self.outcomes_of(self.analysis(name))}
            there = set(outcomes) & known
            yield from among(where, there, fitted, f"outcomes of analysis '{name}'")

    def _of_sensitivity(self, known: set[str]) -> Iterator[str]:
        taken = {*self._ids(), *RESERVED}
        for entry in self._sensitivities():
            where = f"sensitivity '{entry.id}'"
            if entry.id in taken:
                yield f"{where}: every id must be its own"
            taken.add(entry.id)
            if not isinstance(entry, Delta):
                yield from among(where, entry.outcomes, known, "outcomes")
                continue
            yield from self._fitted(where, entry.analysis, entry.outcomes, known)
            analysis = next((a for a in self.analyses if a.id == entry.analysis), None)
            if analysis and (analysis.model not in SHIFTABLE or analysis.data != "imputed"):
                yield (
                    f"{where}: its analysis must be of imputed data, its model one of "
                    f"{', '.join(SHIFTABLE)}"
                )

    def _of_families(self, known: set[str]) -> Iterator[str]:
        taken: set[tuple[str, str]] = set()
        for family in self.families:
            where = f"family '{family.id}'"
            yield from self._fitted(where, family.analysis, family.outcomes, known)
            for outcome in family.outcomes:
                if (family.analysis, outcome) in taken:
                    yield f"{where}: '{outcome}' stands twice in the families of one analysis"
                taken.add((family.analysis, outcome))

    def _of_subgroups(self, known: set[str]) -> Iterator[str]:
        taken: set[tuple[str, str, str]] = set()
        for subgroup in self.subgroups:
            where = f"subgroup '{subgroup.variable}'"
            yield from self._fitted(where, subgroup.analysis, subgroup.outcomes, known)
            analysis = next((a for a in self.analyses if a.id == subgroup.analysis), None)
            if analysis and analysis.model not in SUBGROUPED:
                yield f"{where}: the model of its analysis must be {' or '.join(SUBGROUPED)}"
            for outcome in subgroup.outcomes:
                key = (subgroup.variable, subgroup.analysis, outcome)
                if key in taken:
                    yield f"{where}: '{outcome}' stands twice"
                taken.add(key)

    def _ids(self) -> list[str]:
        return [analysis.id for analysis in self.analyses]

    def _sensitivities(self) -> list[ReferenceBased | Delta]:
        asked = self.sensitivity or Sensitivity()
        return [*asked.reference_based, *asked.delta]

    def estimand_of(self, analysis: str) -> str:
        """Return the id of what an analysis or sensitivity analysis estimates.

        Deltas that no estimand names estimate what the analysis does that they repeat.
        """
        for estimand in self.estimands:
            if analysis in estimand.analyses:
                return estimand.id
        for entry in self._sensitivities():
            if entry.id == analysis and isinstance(entry, Delta):
                return self.estimand_of(entry.analysis)
        return self.estimand

    @property
    def pooling(self) -> Pooling:
        """The rule of the plan; Barnard and Rubin's where it names none."""
        return self.imputation.pooling or Pooling.BARNARD_RUBIN

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


def load_plan() -> Plan:
    """Read ``config/analysis.yaml``; StudyError names the first fault, its `faults` all of them."""
    return load(Plan, PLAN)


def sized(planned: SampleSize | None, clustered: bool) -> Iterator[str]:
    """Say where planned numbers name clusters that a study does not have, or leave them out.

    Parameters
    ----------
    planned : SampleSize or None
        What the study was planned to detect.
    clustered : bool
        Whether clusters are the units of the study.

    Yields
    ------
    str
        A sentence for each of ``clusters`` and ``icc``, with its line.
    """
    for key in ("clusters", "icc") if planned else ():
        if (getattr(planned, key) is not None) != clustered:
            where = f"{place(PLAN, 'planned', key)}: planned.{key}"
            said = (
                f"is missing, and {STUDY} declares" if clustered else f"stands there, and {STUDY}"
            )
            said += " clusters" if clustered else " declares no clusters"
            yield f"{where} {said}; expected it where there are clusters, and only there."


def mispooled(plan: Plan, clusters: Clusters | None) -> Iterator[str]:
    """Say what is missing from, or does not go with, the rule by which imputations are pooled."""
    imputed = any(analysis.data == "imputed" for analysis in plan.analyses)
    named = plan.imputation.pooling
    if clusters and imputed and named is None:
        yield (
            f"{place(PLAN, 'imputation')}: imputation.pooling is missing; expected averaged (the "
            f"contributions of {clusters.unit_label}s, averaged over the imputations) or "
            "barnard-rubin (Rubin's rules; with few clusters their intervals are much too wide)."
        )
    for at, analysis in enumerate(plan.analyses):
        if clusters and analysis.variance == "robust":
            yield (
                f"{place(PLAN, 'analyses', at, 'variance')}: variance: robust, but the standard "
                f"errors of '{analysis.id}' are by {clusters.unit_label}s; expected no such key."
            )
    asked = [named, *(analysis.pooling for analysis in plan.analyses)]
    if Pooling.AVERAGED not in asked:
        return
    if not clusters:
        yield (
            f"{place(PLAN, 'imputation', 'pooling')}: pooling: averaged needs clusters, which "
            f"{STUDY} does not declare; expected barnard-rubin."
        )
    for name, method in plan.imputation.methods.items():
        if method == "2l.norm":
            yield (
                f"{place(PLAN, 'imputation', 'methods', name)}: '{name}' is imputed by 2l.norm, "
                "whose clusters share a distribution, so that their contributions are not "
                "independent; expected another method, or imputation.pooling: barnard-rubin."
            )
