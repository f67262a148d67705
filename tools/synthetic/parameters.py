"""The written-down truth from which the synthetic study is drawn: plain numbers, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date

from synthetic.toolkit import Implementation

DEFAULT_SEED = 3945994


@dataclass(frozen=True)
class Scale:
    """An instrument as it is drawn: what is true of its observed score in a very large study.

    Every figure is of the score before anything is missing. `mean`, `sd` and `alpha` hold at the
    baseline; correlations are between scores, not between the latent values behind them.

    Attributes
    ----------
    name : str
        Analysis name of the score.
    items : tuple of str
        Raw columns.
    low, high : int
        Lowest and highest answer to an item.
    score : {"sum", "mean", "value_set"}
        How items make the score.
    mean, sd : float
        Of the score at baseline. Not used for a value set, where `levels` decide.
    alpha : float
        Cronbach's alpha; for a single item the square of its loading on the latent value.
    change : float
        Mean change to six months without the intervention, in points of the score.
    retest : float
        Correlation of baseline and six-month scores over all people.
    icc_trust : float
        Correlation of the scores of two people in different teams of one Trust at one visit.
    icc_team : float
        What being in the same team adds to that correlation.
    loading : float
        Correlation with the general factor; two scores of one person at one visit correlate by
        the product of their loadings.
    spread : float
        How far apart the items' own means lie, as a share of the number of answers. Items with two
        answers need none: there the spread follows from the SD.
    levels : tuple of tuple of float
        Value set only: share of people at each level of each item at baseline.
    weights : tuple of tuple of float
        Value set only: decrement of each level of each item; the score is one minus their sum.
    item_loading : float
        Value set only: correlation of an item's latent value with that of the instrument.
    """

    name: str
    items: tuple[str, ...]
    low: int
    high: int
    score: str
    mean: float
    sd: float
    alpha: float
    change: float
    loading: float
    spread: float = 0.15
    retest: float = 0.60
    icc_trust: float = 0.03
    icc_team: float = 0.05
    levels: tuple[tuple[float, ...], ...] = ()
    weights: tuple[tuple[float, ...], ...] = ()
    item_loading: float = 0.0


@dataclass(frozen=True)
class Service:
    """A count over the last six months: many zeros, and a long tail among those who use it.

    Attributes
    ----------
    name : str
        Raw column.
    zeros : float
        Share of people with none.
    mean : float
        Mean among those with at least one.
    shape : float
        Negative binomial: dispersion k before truncation at zero. Log-normal: SD of the logarithm.
    family : {"negative-binomial", "log-normal"}
        Distribution among those with at least one.
    maximum : int
        Largest count that is possible in six months.
    """

    name: str
    zeros: float
    mean: float
    shape: float
    family: str = "negative-binomial"
    maximum: int = 184


def _numbered(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}_{i:02d}" for i in range(1, count + 1))


EQ5D_ITEMS = ("eq_mobility", "eq_selfcare", "eq_activities", "eq_pain", "eq_anxiety")

# Devlin, Shah, Feng, Mulhern and van Hout (2018), Health Economics 27(1):7-22.
EQ5D_ENGLAND = (
    (0.0, 0.058, 0.076, 0.207, 0.274),
    (0.0, 0.050, 0.080, 0.164, 0.203),
    (0.0, 0.050, 0.063, 0.162, 0.184),
    (0.0, 0.063, 0.084, 0.276, 0.335),
    (0.0, 0.078, 0.104, 0.285, 0.289),
)

_EQ5D_LEVELS = (
    (0.50, 0.22, 0.16, 0.10, 0.02),
    (0.62, 0.18, 0.13, 0.05, 0.02),
    (0.22, 0.25, 0.28, 0.18, 0.07),
    (0.30, 0.25, 0.24, 0.15, 0.06),
    (0.12, 0.22, 0.34, 0.21, 0.11),
)

SCALES = (
    Scale("social_capital", _numbered("rgu", 27), 0, 1, "sum", 13.5, 5.6, 0.87, 0.3, 0.50),
    Scale("recovery", _numbered("qpr", 15), 0, 4, "sum", 34.0, 11.0, 0.92, 1.5, 0.75),
    Scale("wellbeing", _numbered("wemwbs", 14), 1, 5, "sum", 41.0, 10.0, 0.91, 1.5, 0.80),
    Scale(
        "goal_attainment",
        ("goal_1", "goal_2", "goal_3"),
        *(0, 10, "mean", 3.4, 1.9, 0.70, 1.2, 0.30),
        spread=0.0,
        retest=0.45,
    ),
    Scale("inclusion", _numbered("scope", 10), 1, 5, "mean", 2.9, 0.65, 0.85, 0.05, 0.60),
    Scale(
        "utility",
        EQ5D_ITEMS,
        1,
        5,
        "value_set",
        mean=float("nan"),
        sd=float("nan"),
        alpha=float("nan"),
        change=0.01,
        loading=0.60,
        levels=_EQ5D_LEVELS,
        weights=EQ5D_ENGLAND,
        item_loading=0.72,
    ),
    Scale("eq_vas", ("eq_vas",), 0, 100, "sum", 57.0, 20.0, 0.80, 2.0, 0.60),
)

SERVICES = (
    Service("su_gp", 0.22, 4.0, 1.5, maximum=60),
    Service("su_practice_nurse", 0.62, 2.4, 1.2, maximum=40),
    Service("su_care_coordinator", 0.08, 9.5, 2.2, maximum=120),
    Service("su_psychiatrist", 0.34, 2.2, 2.5, maximum=26),
    Service("su_psychologist", 0.80, 7.0, 1.4, maximum=60),
    Service("su_social_worker", 0.78, 4.2, 0.9, maximum=60),
    Service("su_support_worker", 0.66, 9.0, 1.0, maximum=120),
    Service("su_day_centre", 0.84, 16.0, 1.0, maximum=150),
    Service("su_peer_support", 0.82, 8.0, 1.1, maximum=100),
    Service("su_crisis_team", 0.88, 4.5, 0.8, maximum=90),
    Service("su_ae", 0.78, 1.7, 0.9, maximum=30),
    Service("su_inpatient_psychiatric_days", 0.94, 28.0, 0.9, "log-normal"),
    Service("su_general_hospital_days", 0.90, 4.0, 1.0, "log-normal"),
    Service("su_medication_months", 0.12, 10.0, 3.0, maximum=48),
)

DAYS_OFF_WORK = Service("days_off_work", 0.48, 14.0, 1.2, "log-normal", maximum=130)


@dataclass(frozen=True)
class Category:
    """A category that is asked once: its codes and the share of people with each."""

    name: str
    codes: tuple[str, ...]
    shares: tuple[float, ...]


CATEGORIES = (
    Category("gender", ("female", "male", "other"), (0.52, 0.46, 0.02)),
    Category(
        "ethnicity", ("white", "asian", "black", "mixed", "other"), (0.76, 0.09, 0.09, 0.04, 0.02)
    ),
    Category(
        "diagnosis",
        ("psychosis", "bipolar", "depression", "anxiety", "personality", "other"),
        (0.42, 0.15, 0.19, 0.09, 0.11, 0.04),
    ),
    Category(
        "living",
        ("alone", "partner", "family", "supported", "other"),
        (0.48, 0.16, 0.20, 0.12, 0.04),
    ),
    Category(
        "employment",
        ("employed", "unemployed", "unable", "student", "volunteer", "retired"),
        (0.15, 0.28, 0.36, 0.05, 0.09, 0.07),
    ),
)


@dataclass(frozen=True)
class Parameters:
    """The whole model of the synthetic study.

    Attributes
    ----------
    team_sizes : tuple of int
        People recruited in each team; teams 1 and 2 are the first Trust, 3 and 4 the second, ...
    intervention : tuple of bool
        Which teams have the intervention; exactly one in each Trust.
    without_baseline : int
        People recruited of whom there is no baseline interview; drawn at random.
    lost : int
        People with a baseline but no six-month interview; the count is exact.
    loss_wellbeing, loss_age : float
        Log odds ratio of being lost for one SD more of the baseline score or of age: missing at
        random, given what was observed at baseline. The intercept follows from `lost`.
    team_visit_share : float
        Share of the variance between teams that is drawn anew at each visit.
    factor_retest : float
        Correlation of the general factor at baseline and at six months.
    effects : tuple of (str, float)
        True effects of the arm at six months by outcome: points of the score, or contacts per
        person for a service. What is not named has no effect.
    need_loading, need_retest, need_trust, need_team : float
        Of the latent need behind all services: loading on the general factor (negative: people
        who fare worse use more), correlation of baseline with six months, and the shares of its
        variance between Trusts and between teams of a Trust.
    service_loading, service_retest : float
        Correlation of the latent use of each service with the need; correlation of what is the
        service's own at baseline with the same at six months.
    goals : tuple of float
        Share of people who set one, two and three goals.
    age_mean, age_sd, age_low, age_high : float
        Normal, years, cut to the range.
    years_shape, years_scale, years_age : float
        Years in contact with services: gamma, its copula correlation with age; at most age - 14.
    ended : tuple of (str, float)
        Kinds of event among the lost and their shares.
    moved, adverse : float
        Share of the followed-up with a move to another team or an adverse event.
    recruited_from, recruited_to : datetime.date
        First and last day of recruitment.
    interview_days : int
        The baseline interview is at most so many days after recruitment.
    follow_up_days, follow_up_sd, follow_up_window : int
        Days from baseline to the six-month interview: mean, SD, and at most so far from the mean.
    implementation : Implementation
        What was delivered, and how it was received.
    """

    team_sizes: tuple[int, ...] = (22, 19, 14, 20, 12, 17, 21, 10, 16, 8)
    intervention: tuple[bool, ...] = (
        *(True, False, False, True, True, False, False, True, True, False),
    )
    without_baseline: int = 8
    lost: int = 24
    loss_wellbeing: float = -0.40
    loss_age: float = -0.35
    team_visit_share: float = 0.40
    factor_retest: float = 0.75
    effects: tuple[tuple[str, float], ...] = ()
    need_loading: float = -0.35
    need_retest: float = 0.60
    need_trust: float = 0.03
    need_team: float = 0.05
    service_loading: float = 0.50
    service_retest: float = 0.50
    goals: tuple[float, ...] = (0.25, 0.35, 0.40)
    age_mean: float = 43.0
    age_sd: float = 12.5
    age_low: float = 18.0
    age_high: float = 75.0
    years_shape: float = 1.4
    years_scale: float = 7.5
    years_age: float = 0.45
    ended: tuple[tuple[str, float], ...] = (("loss", 0.60), ("withdrawal", 0.36), ("death", 0.04))
    moved: float = 0.024
    adverse: float = 0.04
    recruited_from: date = date(2019, 1, 14)
    recruited_to: date = date(2019, 12, 20)
    interview_days: int = 28
    follow_up_days: int = 183
    follow_up_sd: int = 12
    follow_up_window: int = 35
    scales: tuple[Scale, ...] = SCALES
    services: tuple[Service, ...] = SERVICES
    days_off_work: Service = DAYS_OFF_WORK
    categories: tuple[Category, ...] = CATEGORIES
    implementation: Implementation = Implementation()

    def __post_init__(self) -> None:
        if len(self.team_sizes) != len(self.intervention) or len(self.team_sizes) % 2:
            raise ValueError("team_sizes and intervention must name the same, even number of teams")
        for first, second in zip(self.intervention[::2], self.intervention[1::2], strict=True):
            if first == second:
                raise ValueError("each Trust needs one team with and one without the intervention")
        known = {s.name for s in self.scales} | {s.name for s in self.services}
        for outcome, _ in self.effects:
            if outcome not in known:
                raise ValueError(f"effects: '{outcome}' is neither a scale nor a service")

    @property
    def recruited(self) -> int:
        """Number of people recruited."""
        return sum(self.team_sizes)

    def effect(self, outcome: str) -> float:
        """Return the true effect of the arm on an outcome, 0 where none is named."""
        return dict(self.effects).get(outcome, 0.0)

    def with_effects(self, **effects: float) -> Parameters:
        """Return the same model with other true effects, such as ``social_capital=1.5``."""
        return replace(self, effects=tuple(sorted((k, float(v)) for k, v in effects.items())))

    def at_scale(self, people: int, teams: int) -> Parameters:
        """Return the same model for a larger or smaller study.

        Parameters
        ----------
        people : int
            People to recruit; those without baseline and those lost keep their shares.
        teams : int
            Number of teams, even; sizes repeat those of this model in proportion.

        Raises
        ------
        ValueError
            If there would be a team without people.
        """
        shape = [self.team_sizes[i % len(self.team_sizes)] for i in range(teams)]
        arms = tuple(self.intervention[i % len(self.intervention)] for i in range(teams))
        ends = [round(sum(shape[: i + 1]) * people / sum(shape)) for i in range(teams)]
        sizes = tuple(b - a for a, b in zip([0, *ends[:-1]], ends, strict=True))
        if min(sizes) < 1:
            raise ValueError(f"{people} people are too few for {teams} teams")
        return replace(
            self,
            team_sizes=sizes,
            intervention=arms,
            without_baseline=round(self.without_baseline * people / self.recruited),
            lost=round(self.lost * people / self.recruited),
        )


DEFAULT = Parameters()


def changed_from_default(parameters: Parameters) -> list[str]:
    """Return the names of the fields in which `parameters` differ from `DEFAULT`."""
    return [
        f.name
        for f in fields(parameters)
        if getattr(parameters, f.name) != getattr(DEFAULT, f.name)
    ]
