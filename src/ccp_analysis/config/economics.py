"""The plan of the economic evaluation: perspectives, prices, horizon, and what is varied."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from ccp_analysis.config.currencies import CURRENCIES, Code, Currency
from ccp_analysis.config.reading import Name, Strict, among, load
from ccp_analysis.config.sensitivity import Strategy
from ccp_analysis.config.strange import Multiple, Strange
from ccp_analysis.layout import ECONOMICS

MONTHS_A_YEAR = 12.0
CHEERS_ITEMS = 28  # of the checklist of 2022
# What evaluation and report alone ask for: an edit of it costs and imputes nothing anew.
EVALUATED = {
    *("thresholds", "main_thresholds", "variance_power", "cost_per", "bootstrap", "statements"),
    *("currency", "categories", "absence", "departures", "budget_impact"),
    *("baseline_months", "information"),
}
PLACEHOLDER = "placeholder"  # in the source of a figure that is made up
Share = Literal["participants", "teams", "caseload"]
Adjust = Literal["pair", "change", "own_baseline", "both_baselines"]


def is_placeholder(source: str) -> bool:
    """Return whether the source of a figure says that it is made up."""
    return PLACEHOLDER in source.casefold()


def year_of(text: str) -> int | str | None:
    """Return a price year as 2020, or the financial year 2019/20 as it stands; None if neither.

    Examples
    --------
    >>> from ccp_analysis.config.economics import year_of
    >>> year_of("2020"), year_of("2019/20"), year_of("2019/21"), year_of("soon")
    (2020, '2019/20', None, None)
    """
    found = re.fullmatch(r"([0-9]{4})(?:/([0-9]{2}))?", text)
    if not found:
        return None
    year, second = int(found[1]), found[2]
    if second is None:
        return year
    return text if int(second) == (year + 1) % 100 else None


def _year(value: object) -> int | str:
    year = year_of(str(value))
    if year is None:
        raise ValueError("expected a year, as 2020, or a financial year, as 2019/20")
    return year


Year = Annotated[int | str, BeforeValidator(_year)]


class Perspective(Strict):
    """A set of services: those whose costs count, or a category of them.

    `services` are names of raw variables; a ``*`` stands for any letters.
    """

    label: str
    """What it is called in the report."""
    services: list[str] = Field(min_length=1)
    """Names of variables; a * stands for any letters."""


class Intervention(Strict):
    """What the intervention itself costs, and over whom it is spread.

    `share`: over the participants of the active arm; first equally over its clusters, then over
    the participants of each; or over everyone whom these clusters serve (`caseload`), as training
    benefits them too.
    """

    costs: Path
    """Table of what the intervention costs."""
    share: Share
    """Over whom its cost is spread."""
    caseload: int | None = Field(default=None, ge=1)
    """People whom the active clusters serve."""
    annuity: float = Field(default=0.035, ge=0, lt=1)
    """Annual rate at which what lasts for years is spread over them; 0 spreads it evenly."""

    @model_validator(mode="after")
    def _caseload(self) -> Intervention:
        if self.share == "caseload" and self.caseload is None:
            raise ValueError("share: caseload needs the number of people served, as 'caseload'")
        return self


class Change(Strict):
    """What becomes of an imputed value: it is multiplied, and then something is added."""

    times: Multiple = 1.0
    """What it is multiplied by."""
    plus: float = 0.0
    """What is added."""


class Shift(Strict):
    """Changes to what was imputed as an interview is missing: measure, then arm, then change."""

    cost: dict[str, float | Change] = {}
    """Arm and what is added to the costs of its missed interviews, or what changes them."""
    utility: dict[str, float | Change] = {}
    """Arm and what is added to the utilities of its missed interviews, or what changes them."""


class Axis(Strict):
    """Changes along one side of a grid: multiples, or what is added."""

    times: list[Multiple] | None = Field(default=None, min_length=2)
    """Multiples, increasing."""
    plus: list[float] | None = Field(default=None, min_length=2)
    """What is added, increasing."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Axis:
        if (self.times is None) == (self.plus is None):
            raise ValueError("expected either times or plus")
        if any(before >= after for before, after in pairwise(self.values)):
            raise ValueError("expected in increasing order")
        return self

    @property
    def values(self) -> list[float]:
        """The changes."""
        return self.times or self.plus or []

    @property
    def neutral(self) -> float:
        """The change that is none."""
        return 0.0 if self.times is None else 1.0


class Departures(Strict):
    """What if costs and utilities of missed interviews are not as imputed, both at once."""

    arms: list[str] = []
    """Arms in which they are changed; without any, the active arm."""
    cost: Axis
    """Changes to the costs of missed interviews."""
    utility: Axis
    """Changes to the utilities of missed interviews."""
    reference_based: list[Strategy] = []
    """What net benefit is assumed of those who were lost, beside missing at random."""


class Discount(Strict):
    """Annual rates at which what falls in later years counts less; nothing does in the first."""

    costs: float = Field(default=0.035, ge=0, lt=1)
    """Of costs."""
    effects: float = Field(default=0.035, ge=0, lt=1)
    """Of quality-adjusted life years."""


Valuation = Literal["human-capital", "friction-cost"]


class Absence(Strict):
    """Days off work: all of them by their wage, or until somebody else does the work."""

    service: str
    """Name of the variable that counts them."""
    valued: Valuation = "human-capital"
    """All days (human capital), or those within a friction period."""
    friction_days: float = Field(default=60.0, gt=0)
    """Working days after which somebody else does the work."""
    elasticity: float = Field(default=1.0, gt=0, le=1)
    """Share of a day's work that is lost in a day of absence, within the friction period."""


class BudgetImpact(Strict):
    """What it would cost whoever pays: uptake, price and caseload."""

    caseload: int = Field(ge=1)
    """People to whom it could be offered in a year."""
    uptake: list[Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    """Share of them who get it, year by year."""
    price: float | None = Field(default=None, ge=0)
    """What it costs for each who gets it; without one, what the evaluation counts."""


class Variation(Strict):
    """One sensitivity analysis: what differs from the main evaluation.

    `unit_costs` multiplies the price of every service, or of those named; `winsorise` sets costs
    above that quantile (of each visit, both arms together) to it; `times` places utilities at the
    interviews as they took place instead of the nominal visits; `share` spreads the cost of the
    intervention by another rule, `intervention` multiplies it. `adjust` changes what the arms are
    adjusted for, always without the covariates of the plan: the pair of clusters alone (where there
    are none, nothing), the same for changes from baseline, each outcome's own baseline, or both.
    """

    id: Name
    """Name of the sensitivity analysis, for the results."""
    label: str
    """What it is called in the report."""
    perspective: str | None = None
    """Another perspective."""
    utility: str | None = None
    """Another utility."""
    unit_costs: Multiple | dict[str, Multiple] | None = None
    """Multiple of every price, or of those named."""
    data: Literal["observed"] | None = None
    """Complete cases in place of imputed data."""
    winsorise: float | None = Field(default=None, gt=0.5, lt=1)
    """Quantile above which costs of a visit are set to it."""
    share: Share | None = None
    """Another way to spread the cost of the intervention."""
    intervention: Multiple | None = None
    """Multiple of the cost of the intervention."""
    times: Literal["interviews"] | None = None
    """Utilities at the interviews as they took place."""
    absence: Valuation | None = None
    """Another valuation of days off work."""
    discount: Discount | None = None
    """Other rates of discounting."""
    delta: Shift | None = None
    """What changes in follow-up values that were imputed as the interview is missing."""
    adjust: Adjust | None = None
    """What the arms are adjusted for: pair, change, own_baseline or both_baselines."""

    @model_validator(mode="after")
    def _something(self) -> Variation:
        where = f"sensitivity '{self.id}'"
        varied = type(self).model_fields.keys() - {"id", "label"}
        if all(getattr(self, name) is None for name in varied):
            raise ValueError(f"{where} differs in nothing from the main evaluation")
        if self.unit_costs == {}:
            raise ValueError(f"{where}: unit_costs names no service; expected service: multiple")
        if self.delta is not None:
            if not (self.delta.cost or self.delta.utility):
                raise ValueError(f"{where}: delta names no arm; expected {{cost: {{arm: amount}}}}")
            if self.data == "observed":
                raise ValueError(
                    f"{where}: delta is added to imputed values, and data: observed has none; "
                    "expected one of the two"
                )
        return self


class Bootstrap(Strict):
    """The two-stage bootstrap: how many draws, and rounds of imputation in each."""

    draws: int = Field(default=5000, ge=100)
    """How many resampled studies."""
    iterations: int = Field(default=5, ge=1)
    """Rounds of imputation in each."""


class Information(Strict):
    """Whom a decision between the arms concerns, for the value of information of a population."""

    people: int = Field(ge=1)
    """People whom the decision concerns in a year."""
    years: int = Field(ge=1, le=100)
    """Years for which the decision stands."""
    discount: float = Field(default=0.035, ge=0, lt=1)
    """Discount rate a year; the people of the first year are not discounted."""
    source: str = Field(min_length=1)
    """Where number and years come from."""


class Economics(Strict):
    """The economic evaluation: ``config/economics.yaml``.

    The first perspective and the first of the `main_thresholds` are those of the main evaluation;
    thresholds are in the currency for each quality-adjusted life year. `cost_per` names outcomes of
    the plan of which a unit is set beside the cost. `statements` answer items of the CHEERS
    checklist, by their number, that no analysis can answer.
    """

    price_year: Year
    """Year of the prices of the evaluation, as 2020, or a financial one, as 2019/20."""
    currency: Code
    """Currency of all costs, by its code of ISO 4217."""
    unit_costs: Path
    """Table of what a unit of each service costs."""
    price_index: Path | None = None
    """Table that brings prices of other years to that of the evaluation."""
    perspectives: dict[Name, Perspective] = Field(min_length=1)
    """Whose costs count; the first is that of the main evaluation."""
    categories: dict[Name, Perspective] = {}
    """Services that have a subtotal in the table of resources."""
    absence: Absence | None = None
    """How days off work are valued, where a perspective counts them."""
    intervention: Intervention | None = None
    """What the intervention itself costs."""
    utility: str
    """Instrument or variable on the scale of utility."""
    months: float = Field(gt=0)
    """Horizon, in months since the baseline."""
    discount: Discount = Discount()
    """Annual rates at which what falls in later years counts less."""
    thresholds: list[Annotated[float, Field(ge=0)]] = Field(min_length=2)
    """What a quality-adjusted life year may be worth, increasing."""
    main_thresholds: list[float] = Field(min_length=1)
    """Those of the report's tables; the first is that of the main evaluation."""
    variance_power: float = Field(default=1.5, ge=1, le=3)
    """Of the log-link model: the variance is proportional to this power of the mean."""
    cost_per: list[str] = []
    """Outcomes of the plan of which a unit is set beside the cost."""
    bootstrap: Bootstrap = Bootstrap()
    """The two-stage bootstrap."""
    baseline_months: float | None = Field(default=None, gt=0)
    """Months of use that the baseline asks about; if not said, those to the first follow-up."""
    information: Information | None = None
    """For the value of information of a population."""
    sensitivity: list[Variation] = []
    """What is varied, one evaluation each."""
    strange: Strange = Strange()
    """From where on a price, the index or the caseload is asked about."""
    departures: Departures | None = None
    """Costs and utilities of missed interviews, both changed at once."""
    budget_impact: BudgetImpact | None = None
    """What it would cost whoever pays."""
    statements: dict[int, str] = {}
    """Item of the CHEERS checklist and what the authors say to it."""

    def references(self) -> Iterator[str]:
        """Yield what the evaluation names and does not have, and lists that are not in order."""
        for row, (before, after) in enumerate(pairwise(self.thresholds), start=2):
            if before >= after:
                yield (
                    f"thresholds: number {row} of the list is {after:g} and stands behind "
                    f"{before:g}; expected in increasing order"
                )
        for threshold in self.main_thresholds:
            if threshold not in self.thresholds:
                yield f"main_thresholds: {threshold:g} is not one of the thresholds"
        for name in ("main_thresholds", "cost_per"):
            for value, times in Counter(getattr(self, name)).items():
                if times > 1:
                    label = value if isinstance(value, str) else f"{value:g}"
                    yield f"{name}: {label} stands {times} times; expected once"
        for item in self.statements:
            if not 1 <= item <= CHEERS_ITEMS:
                yield (
                    f"statements: {item} is no item of the CHEERS checklist; expected 1 to "
                    f"{CHEERS_ITEMS}"
                )
        ids = [variation.id for variation in self.sensitivity]
        for name in {"departures", "reference_based"}.intersection(ids):
            yield f"sensitivity: '{name}' is what another part is called; expected another id"
        if len(set(ids)) < len(ids):
            yield "sensitivity: every entry needs an id of its own"
        for variation in self.sensitivity:
            where = f"sensitivity '{variation.id}'"
            named = [variation.perspective] if variation.perspective else []
            yield from among(where, named, self.perspectives, "perspectives")
            costed = variation.share or variation.intervention is not None
            if costed and self.intervention is None:
                yield f"{where}: there is no cost of an intervention"
            elif variation.share == "caseload" and not (
                self.intervention and self.intervention.caseload
            ):
                yield f"{where}: intervention.caseload is expected, the people served"
            if variation.absence and not self.absence:
                yield f"{where}: absence is expected, the service that counts days off work"

    @property
    def main(self) -> str:
        """Id of the main perspective."""
        return next(iter(self.perspectives))

    @property
    def money(self) -> Currency:
        """How amounts are written."""
        return CURRENCIES[self.currency]


def costed(economics: Economics | None) -> str:
    """Return what costing and imputation use of the evaluation, as text that changes with it."""
    return economics.model_dump_json(exclude=EVALUATED) if economics else ""


def load_economics() -> Economics | None:
    """Read ``config/economics.yaml``; None where the study has no economic evaluation."""
    return load(Economics, ECONOMICS) if ECONOMICS.is_file() else None
