"""The statistical analysis plan: outcomes, models, imputation, and what is asked beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ccp_analysis.config.estimands import Estimand, estimand_faults
from ccp_analysis.config.reading import Name, Strict, among, load
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import PLAN
from ccp_analysis.results.terms import Pooling

Power = Annotated[float, Field(gt=0, lt=1)]


class Outcome(Strict):
    """An outcome of the plan: an instrument or a variable measured at the visits."""

    id: Name
    role: Literal["primary", "secondary"]
    label: str | None = None
    benefit: Literal["higher", "lower"] | None = None


class PredictorChange(Strict):
    """Variables added to, or dropped from, the predictors that the rule chooses."""

    add: list[str] = []
    drop: list[str] = []


class ImputationPlan(Strict):
    """How what is missing is imputed.

    `bounds` bind the methods norm, lrd and 2l.norm; `derived` are formulas by name; `level` says of
    an instrument whether its score or its items are imputed; `not_after` are the events (as in the
    file of losses) after which a value that was not observed does not exist.
    """

    imputations: int = Field(ge=2)
    iterations: int = Field(ge=1)
    donors: int = Field(ge=1)
    auxiliary: list[str] = []
    methods: dict[str, Literal["norm", "pmm", "lrd", "logreg", "polyreg", "2l.norm"]] = {}
    bounds: dict[str, tuple[float, float]] = {}
    predictors: dict[str, PredictorChange] = {}
    derived: dict[Name, str] = {}
    level: dict[str, Literal["score", "items"]] = {}
    by_arm: bool = False
    not_after: list[str] = []
    pooling: Pooling | None = Field(
        default=None,
        description="Rule by which imputations are pooled wherever inference is by clusters; to be "
        "named where the study has clusters.",
    )

    @model_validator(mode="after")
    def _bounds(self) -> ImputationPlan:
        for name, (low, high) in self.bounds.items():
            if not low < high:
                raise ValueError(f"bounds of '{name}': a lower and a higher value are expected")
        return self


Model = Literal[
    "ancova",  # follow-up on arm, baseline, pair, covariates
    "change",  # follow-up less baseline on arm, pair, covariates
    "did",  # arm by visit in the long table: difference in differences
    "mixed",  # ancova with a random cluster intercept
    "team-means",  # paired analysis of baseline-adjusted cluster means
    "repeated",  # random person intercept over all follow-ups
    "mmrm",  # unstructured covariance over all follow-ups, arm and baseline by visit
    "clda",  # the baseline as a visit with a common mean
    "logistic",  # binary outcome
    "poisson",  # count outcome
]
# What the pipeline itself calls parts of the results.
RESERVED = ("descriptive", "economics", "sample_size", "sensitivity")
LONGITUDINAL = ("repeated", "mmrm", "clda")
OVER_VISITS = ("mmrm", "clda")  # with a difference at every follow-up
ONE_SLOPE = "mmrm-one-slope"  # what an mmrm is whose baseline has one slope


# Models whose inference is by clusters, so that contributions of clusters can be averaged.
AVERAGED = ("ancova", "change", "did", "team-means", "logistic", "poisson")
POOLED = ("mixed", *AVERAGED)  # models of which the rule of pooling can be chosen


class Analysis(Strict):
    """One planned analysis, fitted to each of its outcomes.

    `visit` is where the outcome is taken; of a model with a difference at every follow-up it is the
    one that stands for the analysis, by default the last. `baseline` says of an mmrm whether the
    baseline has a slope at every visit or one for all. `pooling` is the rule by which its
    imputations are pooled, where it is not that of the plan.
    """

    id: Name
    role: Literal["primary", "supporting", "sensitivity"]
    model: Model
    data: Literal["imputed", "observed"]
    visit: str | None = None
    outcomes: list[str] | None = None
    baseline: Literal["by-visit", "one-slope"] | None = None
    pooling: Pooling | None = None

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
        return ONE_SLOPE if self.baseline == "one-slope" else self.model


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
    """What the study was planned to detect; the report sets it beside what was achieved.

    `sd` within arms at follow-up; `retest` the correlation of baseline and follow-up; participants
    in both arms with a follow-up. `source` says where the figures come from.
    """

    outcome: str
    difference: float = Field(gt=0)
    sd: float = Field(gt=0)
    icc: float = Field(ge=0, lt=1)
    retest: float = Field(ge=0, lt=1)
    participants: int = Field(ge=4)
    clusters: int = Field(ge=4)
    source: str | None = None


Strategy = Literal["MAR", "JR", "CR", "CIR", "LMCF"]
# Models of one follow-up whose outcome can be shifted.
SHIFTABLE = ("ancova", "change", "mixed", "team-means")


class Scenario(Strict):
    """What is assumed of those who were lost: a strategy, others by reason, and deltas by arm."""

    strategy: Strategy
    id: str | None = None
    reasons: dict[str, Strategy] = {}
    delta: dict[str, float] = {}

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
    outcomes: list[str] = Field(min_length=1)
    scenarios: list[Scenario] = Field(min_length=1)
    variances: list[Literal["jackknife", "draws"]] = ["jackknife", "draws"]
    resample: Literal["participant", "unit", "pair"] | None = None

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
    analysis: str
    outcomes: list[str] = Field(min_length=1)
    deltas: list[float] = Field(min_length=2)
    directions: dict[str, dict[str, float]] = Field(min_length=1)
    reasons: dict[str, float] = {}
    limit: float | None = Field(default=None, gt=0)
    map_steps: int | None = Field(default=None, ge=2, le=201)

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
    delta: list[Delta] = []


class Plan(Strict):
    """The statistical analysis plan: ``config/analysis.yaml``.

    `estimand` is the one that is estimated by every analysis that none of the `estimands` names.
    """

    seed: int = Field(ge=0)
    confidence_level: float = Field(gt=0.5, lt=1)
    estimand: str
    estimands: list[Estimand] = []
    outcomes: list[Outcome] = Field(min_length=1)
    covariates: list[str]
    baseline_table: list[str] = []
    ordinal_as_numbers: list[str] = Field(
        default=[], description="Ordinal variables whose codes are analysed as numbers."
    )
    imputation: ImputationPlan
    analyses: list[Analysis] = Field(min_length=1)
    families: list[Family] = []
    subgroups: list[Subgroup] = []
    checks: list[str] = []
    power: Power = 0.8
    planned: SampleSize | None = None
    sensitivity: Sensitivity | None = None

    def references(self) -> Iterator[str]:
        """Yield analyses, outcomes and ids that are named and do not stand in the plan."""
        ids, known = self._ids(), {outcome.id for outcome in self.outcomes}
        if len(set(ids)) < len(ids) or set(RESERVED) & set(ids):
            yield f"analyses: every id must be its own, and none of {', '.join(RESERVED)}"
        if len(known) < len(self.outcomes):
            yield "outcomes: every outcome may stand once"
        for analysis in self.analyses:
            where = f"analysis '{analysis.id}'"
            yield from among(where, analysis.outcomes or (), known, "outcomes")
        yield from self._of_families(known)
        yield from self._of_subgroups(known)
        yield from among("checks", self.checks, ids, "analyses")
        if self.planned:
            yield from among("planned", [self.planned.outcome], known, "outcomes")
        yield from self._of_sensitivity(known)
        named = [*ids, *(entry.id for entry in self._sensitivities())]
        yield from estimand_faults(self.estimands, self.estimand, named, known)

    def _fitted(self, where: str, name: str, outcomes: list[str], known: set[str]) -> Iterator[str]:
        """Yield outcomes that are unknown, or not those of an analysis; an unknown analysis."""
        yield from among(where, outcomes, known, "outcomes")
        yield from among(where, [name], self._ids(), "analyses")
        if name in self._ids():
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
            if analysis and analysis.model != "ancova":
                yield f"{where}: the model of its analysis must be ancova"
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
