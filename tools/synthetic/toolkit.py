"""The written-down truth of the implementation: what was delivered, and how it was received."""

from __future__ import annotations

from dataclasses import dataclass

STEPS = ("explained", "network_map", "goals", "action_plan", "review")
PARTS = ("guidance", "training", "manual", "leaflet")
OCCASIONS = ("early", "late")
FIDELITY = tuple(f"fid_{i:02d}" for i in range(1, 11))
USER_RATINGS = ("rate_useful", "rate_clear", "rate_recommend")


@dataclass(frozen=True)
class Ratings:
    """Items with five answers that share a latent value.

    Attributes
    ----------
    name : str
        What they are about.
    items : tuple of str
        Raw columns, without the occasion.
    shares : tuple of float
        Share of people who give the answers 1 to 5, at the first occasion.
    loading : float
        Correlation of each item's latent value with the shared one.
    change : float
        Shift of the items' latent values to the second occasion, in SD.
    """

    name: str
    items: tuple[str, ...]
    shares: tuple[float, ...]
    loading: float = 0.75
    change: float = 0.0


def _numbered(prefix: str, first: int, last: int, form: str = "d") -> tuple[str, ...]:
    return tuple(f"{prefix}_{i:{form}}" for i in range(first, last + 1))


RATINGS = (
    Ratings("useful", tuple(f"use_{p}" for p in PARTS), (0.02, 0.04, 0.14, 0.46, 0.34)),
    Ratings("clear", tuple(f"clear_{p}" for p in PARTS), (0.01, 0.04, 0.13, 0.48, 0.34)),
    Ratings("recommend", tuple(f"rec_{p}" for p in PARTS), (0.02, 0.05, 0.15, 0.43, 0.35)),
    Ratings("acceptability", _numbered("aim", 1, 4), (0.01, 0.04, 0.15, 0.50, 0.30)),
    Ratings("appropriateness", _numbered("iam", 1, 4), (0.02, 0.06, 0.20, 0.48, 0.24)),
    Ratings("feasibility", _numbered("fim", 1, 4), (0.08, 0.22, 0.30, 0.30, 0.10), change=-0.3),
    Ratings("coherence", _numbered("nomad", 1, 4, "02d"), (0.03, 0.09, 0.22, 0.46, 0.20), 0.65),
    Ratings("participation", _numbered("nomad", 5, 8, "02d"), (0.04, 0.12, 0.24, 0.42, 0.18), 0.65),
    Ratings("action", _numbered("nomad", 9, 15, "02d"), (0.10, 0.24, 0.31, 0.27, 0.08), 0.65, -0.2),
    Ratings("monitoring", _numbered("nomad", 16, 20, "02d"), (0.12, 0.25, 0.33, 0.23, 0.07), 0.65),
)
USERS = Ratings("service users", USER_RATINGS, (0.03, 0.05, 0.12, 0.42, 0.38), 0.8)


@dataclass(frozen=True)
class Implementation:
    """How far the intervention was delivered, and how it was received.

    Attributes
    ----------
    reached, contaminated : tuple of float
        Share of people, in teams with and without the intervention, for whom each of `STEPS` was
        done: who has one has had those before it.
    delivery_team, delivery_loading : float
        Of the latent value behind the steps, whose variance is one: the variance between teams, and
        the correlation with the general factor at baseline. People who fare better get more.
    contacts : float
        Mean number of contacts for a step beyond the first (Poisson).
    key_worker : float
        Share of contacts with the person's key worker; the others are with anybody of the team.
    forgotten, mistaken : float
        Share of those to whom the materials were explained who say that they were not, and of the
        others who say that they were.
    goals, support : (float, float)
        Share of people who say that goals were discussed, and that they had support for social
        connections: without and with the first step.
    users : Ratings
        Of the leaflet and the support, by those who say that the materials were explained.
    fidelity_cuts : (float, float)
        Where the latent value of an item of fidelity becomes 1 (partly) and 2 (done).
    fidelity_step, fidelity_loading, fidelity_team : float
        What each step done adds to that value; the correlation of items with what they share; and
        the share of that which is the team's.
    practitioners : (int, int)
        Least and most practitioners of a team, all numbers alike.
    professions : tuple of (str, float)
        Professions and their shares.
    trained : (float, float)
        Share of practitioners who were trained, in teams without and with the intervention.
    caseload_mean, caseload_sd, caseload_low, caseload_high : float
        Normal, cut to the range.
    answered : (float, float)
        Share of the practitioners of teams with the intervention who answer at each occasion.
    ratings : tuple of Ratings
        By practitioners.
    rating_general, rating_retest, rating_team : float
        Of the latent values that items share: correlation with one that all ratings of a person
        share, correlation over the occasions, and variance between teams.
    barriers : tuple of (str, float)
        Barriers and the share of those answering who tick them.
    barrier_team, barrier_retest : float
        Of the latent value behind each barrier: variance between teams, correlation over occasions.
    """

    reached: tuple[float, ...] = (0.25, 0.21, 0.17, 0.13, 0.10)
    contaminated: tuple[float, ...] = (0.03, 0.02, 0.015, 0.01, 0.005)
    delivery_team: float = 0.10
    delivery_loading: float = 0.20
    contacts: float = 0.8
    key_worker: float = 0.8
    forgotten: float = 0.06
    mistaken: float = 0.01
    goals: tuple[float, float] = (0.45, 0.75)
    support: tuple[float, float] = (0.40, 0.65)
    users: Ratings = USERS
    fidelity_cuts: tuple[float, float] = (0.9, 1.9)
    fidelity_step: float = 0.5
    fidelity_loading: float = 0.6
    fidelity_team: float = 0.15
    practitioners: tuple[int, int] = (6, 9)
    professions: tuple[tuple[str, float], ...] = (
        ("social_worker", 0.30),
        ("nurse", 0.36),
        ("occupational_therapist", 0.12),
        ("support_worker", 0.17),
        ("other", 0.05),
    )
    trained: tuple[float, float] = (0.03, 0.75)
    caseload_mean: float = 27.0
    caseload_sd: float = 8.0
    caseload_low: float = 4.0
    caseload_high: float = 60.0
    answered: tuple[float, float] = (0.92, 0.78)
    ratings: tuple[Ratings, ...] = RATINGS
    rating_general: float = 0.6
    rating_retest: float = 0.7
    rating_team: float = 0.08
    barriers: tuple[tuple[str, float], ...] = (
        ("bar_caseload", 0.72),
        ("bar_staffing", 0.64),
        ("bar_crisis", 0.55),
        ("bar_medical", 0.46),
        ("bar_supervision", 0.24),
        ("bar_time", 0.52),
    )
    barrier_team: float = 0.15
    barrier_retest: float = 0.6

    def __post_init__(self) -> None:
        for shares in (self.reached, self.contaminated):
            if len(shares) != len(STEPS) or list(shares) != sorted(shares, reverse=True):
                raise ValueError(
                    "reached, contaminated: one share a step, none above the one before"
                )
        if self.delivery_team + self.delivery_loading**2 >= 1:
            raise ValueError("delivery_team and delivery_loading are not possible together")
        least = self.rating_team + self.rating_general**2
        if least >= 1 or self.rating_retest < least:
            raise ValueError("rating_general, rating_retest, rating_team: not possible together")
