"""How large the next trial should be: power and assurance of sizes, what is needed, its cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import scipy

from ccp_analysis.analyses.question import Question
from ccp_analysis.characteristics.this_study import ThisStudy
from ccp_analysis.config.next_study import POINT, UPPER, NextStudy, Prior, Sought
from ccp_analysis.models.assurance import Size, assurance, cheapest_people, fewest
from ccp_analysis.models.components import Components
from ccp_analysis.models.inference import detected_multiple, power_of_t
from ccp_analysis.results.terms import Inference, Population, Status, Term

Rows = list[dict[str, Any]]
Chance = Callable[[Size], float]

LEAST_PAIRS = 3
MOST_PEOPLE = 100_000  # in each arm, where people are allocated


@dataclass(frozen=True)
class Priced:
    """What a trial costs, and in which money."""

    intervention: float
    cluster: float
    person: float
    scale: str

    @property
    def pair(self) -> float:
        """Two clusters, one of them with the intervention, without their people."""
        return self.intervention + 2.0 * self.cluster


@dataclass(frozen=True)
class Target:
    """The difference that is to be found, and what is taken to be known of it."""

    value: float | None
    sd: float
    said: str


@dataclass(frozen=True)
class Next:
    """What is asked of the next trial, of one outcome.

    Attributes
    ----------
    asked : NextStudy
        Sizes and power.
    ask : Question
        Outcome, its unit, the confidence level.
    known : ThisStudy
        What this study says.
    target : Target
        The difference that is to be found.
    clusters : bool
        Whether clusters are allocated.
    priced : Priced or None
        What it costs.
    """

    asked: NextStudy
    ask: Question
    known: ThisStudy
    target: Target
    clusters: bool
    priced: Priced | None

    def size(self, people: float, pairs: int | None) -> Size:
        """Return the size with so many people recruited in each cluster, or in each arm."""
        analysed = people * (1.0 - self.known.lost)
        if not self.clusters:
            return Size(analysed, taken=self.known.taken)
        return Size(analysed, pairs, self.known.cv, self.known.kept)

    def power(self, icc: float, size: Size) -> float:
        """Return the power at the estimated standard deviation and a known correlation."""
        error = self.known.sd * float(size.variance(icc)) ** 0.5
        return power_of_t((self.target.value or 0.0) / error, size.df, self.ask.level)

    def assured(self, of: Components, size: Size) -> float:
        """Return the power averaged over what is known of the variances."""
        assert self.target.value is not None
        return assurance(self.target.value, size, of, self.ask.level, self.target.sd)

    @property
    def priors(self) -> list[Prior]:
        """The prior distributions; of people who are in no clusters the first stands for all."""
        return self.asked.priors if self.clusters else self.asked.priors[:1]

    @property
    def chances(self) -> dict[tuple[str, str, str], Chance]:
        """Term, inference and level → chance of finding the difference."""
        iccs = {POINT: self.known.icc} | ({UPPER: self.known.upper} if self.clusters else {})
        found: dict[tuple[str, str, str], Chance] = {
            (Term.NEXT_POWER, Inference.T, level): partial(self.power, icc)
            for level, icc in iccs.items()
        }
        return found | {
            (Term.ASSURANCE, Inference.POSTERIOR, prior.id): partial(
                self.assured, self.known.adjusted[prior.id]
            )
            for prior in self.priors
        }


def target_of(sought: Sought, ask: Question, planned: tuple[float, str] | None) -> Target:
    """Return the difference to be found: the one given, the MCID or the planned one."""
    if sought.difference is not None:
        return Target(sought.difference, sought.sd, str(sought.source))
    if ask.mcid is not None:
        return Target(ask.mcid, sought.sd, "the smallest difference that matters (MCID)")
    if planned is not None:
        return Target(planned[0], sought.sd, planned[1])
    return Target(None, 0.0, "")


def rows_of(asked: Next) -> Rows:
    """Return all rows of one outcome."""
    rows = [*_learnt(asked)]
    if asked.target.value is None:
        rows += _detectable(asked)
        return rows
    rows.append(
        {"term": Term.SOUGHT, "estimate": asked.target.value, "note": asked.target.said.strip()}
    )
    rows += _grid(asked)
    needed = [*_needed(asked)]
    rows += needed
    rows += _cheap(asked, needed)
    return rows


def _learnt(asked: Next) -> Iterator[dict[str, Any]]:
    """Yield what this study says of variances, retest, losses and sizes."""
    known, level = asked.known, asked.ask.level
    for prior in asked.priors:
        of = known.adjusted[prior.id]
        shared = {"inference": Inference.POSTERIOR, "level": prior.id}
        yield {
            **shared,
            **_median(of.sd_quantile, level),
            "term": Term.STANDARD_DEVIATION,
            "note": "posterior median, beside what the comparison adjusts for",
        }
        if asked.clusters:
            between, within = known.df
            yield {
                **shared,
                **_median(of.icc_quantile, level),
                "term": Term.INTRACLASS,
                "scale": "proportion",
                "df": between,
                "note": f"posterior median, mean {of.icc_mean:.3f}; {between} degrees of freedom "
                f"between and {within} within clusters; beta({prior.a:g}, {prior.b:g}) before the "
                "data",
            }
    value, low, high = known.retest
    yield {
        "term": Term.RETEST,
        "scale": "correlation",
        "inference": Inference.FISHER_Z,
        "estimate": value,
        "conf_low": low,
        "conf_high": high,
        "conf_level": level,
        "note": "beside all else that is adjusted for; the interval takes people as independent",
    }
    yield {
        "term": Term.LOST,
        "scale": "proportion",
        "estimate": known.lost,
        "population": Population.COMPLETED,
        "n": known.recruited,
    }
    if asked.clusters:
        yield {"term": Term.SIZE_VARIATION, "scale": "ratio", "estimate": known.cv}
        yield {"term": Term.KEPT, "scale": "ratio", "estimate": known.kept}


def _median(quantile: Callable[[float], float], level: float) -> dict[str, float]:
    """Return the median and the limits of a posterior distribution."""
    low, high = (quantile((1.0 + side * level) / 2.0) for side in (-1, 1))
    return {"estimate": quantile(0.5), "conf_low": low, "conf_high": high, "conf_level": level}


def _sizes(asked: Next) -> Iterator[tuple[str, Size]]:
    """Yield the sizes that are tried, with their names."""
    for people in asked.asked.people:
        for pairs in asked.asked.pairs if asked.clusters else [None]:
            yield asked.asked.named(people, pairs or 0), asked.size(people, pairs)


def _grid(asked: Next) -> Iterator[dict[str, Any]]:
    """Yield power and assurance of every size, and what no number of people can bring."""
    for name, size in _sizes(asked):
        for (term, inference, level), chance in asked.chances.items():
            yield {
                "term": term,
                "scale": "probability",
                "inference": inference,
                "level": level,
                "subgroup": name,
                "df": size.df,
                "estimate": chance(size),
            }
    for pairs in asked.asked.pairs if asked.clusters else []:
        floor = asked.size(1.0, pairs).floor
        for prior, of in asked.known.adjusted.items():
            yield {
                "term": Term.MOST_ASSURANCE,
                "scale": "probability",
                "inference": Inference.POSTERIOR,
                "level": prior,
                "subgroup": f"{pairs} pairs",
                "df": floor.df,
                "estimate": asked.assured(of, floor),
            }


def _needed(asked: Next) -> Iterator[dict[str, Any]]:
    """Yield how many pairs, or people, bring the power or assurance that is wanted."""
    most = asked.asked.most_pairs
    every: list[tuple[str, str, str, Chance, str]] = [
        (*key, chance, "") for key, chance in asked.chances.items()
    ]
    for retest in asked.asked.retest:
        first = asked.asked.priors[0].id
        of = asked.known.unadjusted[first].scaled(1.0 - retest**2)
        beside = f", correlation with the baseline {retest:g}"
        without = partial(asked.assured, of)
        every.append((Term.ASSURANCE, Inference.POSTERIOR, first, without, beside))
    tried = asked.asked.people if asked.clusters else [0]
    for people, one, wanted in product(tried, every, asked.asked.power):
        _, inference, level, chance, beside = one
        row = {"scale": "count", "inference": inference, "level": level, "threshold": wanted}
        if asked.clusters:
            found = fewest(_of_pairs(asked, chance, people), wanted, LEAST_PAIRS, most)
            row |= {"term": Term.REQUIRED_PAIRS, "subgroup": f"{asked.asked.named(people)}{beside}"}
            yield _found(row, found, f"{most} pairs are not enough")
        else:
            found = fewest(_of_people(asked, chance), wanted, *_arm(asked))
            row |= {"term": Term.REQUIRED, "subgroup": beside.removeprefix(", ")}
            both = None if found is None else 2 * found
            yield _found(row, both, f"{MOST_PEOPLE:,} in each arm are not enough")


def _of_pairs(asked: Next, chance: Chance, people: int) -> Callable[[int], float]:
    """Return the chance as a function of the number of pairs."""
    return lambda pairs: chance(asked.size(people, pairs))


def _of_people(asked: Next, chance: Chance) -> Callable[[int], float]:
    """Return the chance as a function of the number of people in each arm."""
    return lambda people: chance(asked.size(people, None))


def _arm(asked: Next) -> tuple[int, int]:
    """Return the least and most people in an arm among whom the number needed is sought."""
    least = int((asked.known.taken + 6.0) / (1.0 - asked.known.lost)) + 1
    return least, MOST_PEOPLE


def _found(row: dict[str, Any], number: int | None, note: str) -> dict[str, Any]:
    if number is None:
        return row | {"status": Status.REFUSED, "note": note}
    return row | {"estimate": number}


def _detectable(asked: Next) -> Iterator[dict[str, Any]]:
    """Yield the difference that each size finds, where none is given."""
    level, first = asked.ask.level, asked.asked.priors[0].id
    of = asked.known.adjusted[first]
    for name, size in _sizes(asked):
        for wanted in asked.asked.power:
            error = asked.known.sd * float(size.variance(asked.known.icc)) ** 0.5
            multiple = detected_multiple(size.df, level, wanted)
            shared = {"term": Term.DETECTABLE_DIFFERENCE, "threshold": wanted, "subgroup": name}
            yield {
                **shared,
                "inference": Inference.T,
                "level": POINT,
                "df": size.df,
                "estimate": multiple * error,
            }
            top = 2.0 * multiple * error

            def short(difference: float, size: Size = size, wanted: float = wanted) -> float:
                return assurance(difference, size, of, level) - wanted

            while short(top) < 0.0:
                top *= 2.0
            yield {
                **shared,
                "inference": Inference.POSTERIOR,
                "level": first,
                "df": size.df,
                "estimate": float(scipy.optimize.brentq(short, 0.0, top, xtol=1e-10 * top)),
            }


def _cheap(asked: Next, needed: Rows) -> Iterator[dict[str, Any]]:
    """Yield what every size that is enough costs, and how many people of a cluster are cheapest."""
    priced = asked.priced
    if priced is None:
        return
    money = {"scale": priced.scale, "inference": Inference.NONE}
    yield {**money, "term": Term.CLUSTER_COST, "estimate": priced.pair / 2}
    yield {**money, "term": Term.PERSON_COST, "estimate": priced.person}
    people = {asked.asked.named(n): n for n in asked.asked.people}
    for row in needed:
        if row["subgroup"] in people and row.get("estimate") is not None:
            of_pair = priced.pair + 2.0 * people[row["subgroup"]] * priced.person
            cost = row["estimate"] * of_pair
            yield {**row, "term": Term.TRIAL_COST, "scale": priced.scale, "estimate": cost}
    iccs = {POINT: asked.known.icc} | {
        prior: of.icc_quantile(0.5) for prior, of in asked.known.adjusted.items()
    }
    analysed = 1.0 - asked.known.lost
    for level, icc in iccs.items():
        inference = Inference.NONE if level == POINT else Inference.POSTERIOR
        shared = {"term": Term.CHEAPEST_PEOPLE, "scale": "count", "level": level}
        row = {**shared, "inference": inference}
        if icc <= 0.0:
            note = "nothing lies between clusters, so that no number is too large"
            yield row | {"status": Status.REFUSED, "note": note}
            continue
        # Who is lost costs as much as who is analysed.
        unequal = (asked.known.cv, asked.known.kept)
        best = cheapest_people(priced.pair / 2.0, priced.person / analysed, icc, *unequal)
        note = f"recruited, at an intraclass correlation of {icc:.3f}"
        yield row | {"estimate": best / analysed, "note": note}
