"""Level of every inference where the design uses up the teams, and where it does not.

Three kinds of layout: ten teams in five pairs of which some are lost, or which a property of the
team divides into subgroups; pairs of equal teams with covariates of the team. Everyone has a
baseline, there is no effect, and the model has the pairs, the baseline and what the layout adds.
All data are synthetic. Prints a Markdown table of the share of two-sided 5 % tests that reject:

    PYTHONPATH=src python benchmarks/used_up_teams.py [--designs 100] [--outcomes 100] [--icc 0.05]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_inference import on_link_scale
from ccp_analysis.models.ols import OlsFit, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import cluster_robust, cluster_robust_f
from ccp_analysis.models.small_sample import kenward_roger
from ccp_analysis.models.team_level import paired_team_means, sign_flip
from ccp_analysis.random import stream

SEED, SLOPE = 20261129, 0.6
SIZES = (16, 18, 20, 12, 9, 15, 17, 14, 11, 19)
ARMS = (1, 0, 0, 1, 1, 0, 0, 1, 1, 0)


@dataclass(frozen=True)
class Layout:
    """Teams 2k and 2k + 1 are a pair; those lost have no people.

    Attributes
    ----------
    name : str
        Of the layout.
    sizes, arms : tuple of int
        People and arm of each team.
    lost : tuple of int
        Teams that are gone.
    level : tuple of int
        Subgroup of each team; the contrast is then the first interaction. Empty for the arm.
    covariates : int
        Normal covariates of the team, drawn anew for each design.
    """

    name: str
    sizes: tuple[int, ...] = SIZES
    arms: tuple[int, ...] = ARMS
    lost: tuple[int, ...] = ()
    level: tuple[int, ...] = ()
    covariates: int = 0

    @cached_property
    def teams(self) -> np.ndarray:
        """Teams that are there."""
        return np.setdiff1d(np.arange(len(self.sizes)), self.lost)

    @cached_property
    def people(self) -> np.ndarray:
        """Position among the teams that are there of each person, shape (n,)."""
        return np.repeat(np.arange(len(self.teams)), np.take(self.sizes, self.teams))

    @cached_property
    def columns(self) -> np.ndarray:
        """Intercept, arm (within each subgroup), subgroups, pairs; shape (n, q)."""
        arm, pair = np.take(self.arms, self.teams), self.teams // 2
        parts = [np.ones_like(arm), arm]
        if self.level:
            inside = np.equal.outer(range(max(self.level) + 1), np.take(self.level, self.teams))
            parts = [parts[0], *(arm * inside), *inside[1:]]
        parts += [pair == k for k in np.unique(pair)[1:]]
        return np.stack(parts, axis=1).astype(float)[self.people]

    def contrasts(self, p: int) -> np.ndarray:
        """Return the arm, or all interactions, shape (k, p)."""
        at = np.eye(p)
        return at[2 : 2 + max(self.level)] - at[1] if self.level else at[1:2]


LAYOUTS = [
    Layout("nobody lost"),
    Layout("one team lost", lost=(0,)),
    Layout("two teams lost", lost=(0, 3)),
    Layout("three teams lost", lost=(0, 3, 5)),
    Layout("four teams lost", lost=(0, 3, 5, 7)),
    Layout("two subgroups A", level=(0, 1, 1, 0, 1, 1, 0, 1, 1, 0)),
    Layout("two subgroups B", level=(0, 1, 0, 1, 0, 1, 0, 0, 1, 1)),
    Layout("two subgroups C", level=(0, 1, 0, 0, 1, 0, 0, 0, 0, 0)),
    Layout("two subgroups D", level=(0, 0, 1, 1, 0, 1, 1, 0, 0, 1)),
    Layout("three subgroups", level=(0, 1, 2, 0, 1, 2, 0, 1, 2, 0)),
    *(
        Layout(f"{k} pairs, {c} team covariates", (15,) * 2 * k, (0, 1) * k, covariates=c)
        for k, c in ((2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (5, 0), (5, 2), (5, 3), (5, 4))
    ),
]
INFERENCES = (
    ANCOVA := "CR2, ANCOVA",
    CHANGE := "CR2, change score",
    COUNTS := "CR2, Poisson",
    JOINT := "AHT, all interactions",
    MIXED := "mixed, Kenward-Roger",
    PAIRED := "paired t",
    FLIPPED := "sign flip",
)


@dataclass(frozen=True)
class Level:
    """Tests of one inference.

    Attributes
    ----------
    p_values : numpy.ndarray
        NaN where it is refused or cannot be fitted.
    share : float
        Most that single teams use up of the contrast in any draw; NaN where that is no question.
    df : float
        Median degrees of freedom.
    """

    p_values: np.ndarray
    share: float = np.nan
    df: float = np.nan

    @property
    def refused(self) -> float:
        """Share of draws without a test."""
        return float(np.isnan(self.p_values).mean())

    @property
    def rejects(self) -> float:
        """Share of tests that reject at 5 %; NaN where there are none."""
        tests = self.p_values[~np.isnan(self.p_values)]
        return float((tests < 0.05).mean()) if tests.size else np.nan


def draw(layout: Layout, icc: float, designs: int, outcomes: int, rng: np.random.Generator):
    """Return designs (d, 1, n, p) whose last column is the baseline, outcomes and gains (d, o, n).

    Gains are over baselines of their own, which vary with the outcome.
    """
    people, columns = layout.people, layout.columns
    n, teams = len(people), len(layout.teams)
    baseline = rng.normal(size=(designs, n, 1))
    own = rng.normal(size=(designs, teams, layout.covariates))[:, people]
    shared = np.broadcast_to(columns, (designs, *columns.shape))
    X = np.concatenate([shared, own, baseline], axis=-1)[:, None]
    between = icc**0.5 * rng.normal(size=(designs, outcomes, teams))[..., people]
    within = (1.0 - icc) ** 0.5 * rng.normal(size=(designs, outcomes, n))
    gain = between + within - (1.0 - SLOPE) * rng.normal(size=within.shape)
    return X, SLOPE * X[..., -1] + between + within, gain


def robust(fit: OlsFit, groups: np.ndarray, L: np.ndarray) -> Level:
    """Test the first contrast by CR2."""
    found = cluster_robust(fit, groups, L[:1])
    return Level(found.p_value, float(found.used_up.share.max()), float(np.median(found.df)))


def measure(
    layout: Layout, X: np.ndarray, y: np.ndarray, gain: np.ndarray
) -> Iterator[tuple[str, Level]]:
    """Yield the tests of each inference but that of counts."""
    groups, L = layout.people, layout.contrasts(X.shape[-1])
    fit = fit_ols(X, y)
    yield ANCOVA, robust(fit, groups, L)
    yield CHANGE, robust(fit_ols(X[..., :-1], gain), groups, L[:, :-1])
    if len(L) > 1:
        joint = cluster_robust_f(fit, groups, L)
        yield JOINT, Level(joint.p_value, float(joint.used_up.share.max()))
    mixed = kenward_roger(fit_random_intercept(X, y, groups), L[:1])
    yield MIXED, Level(mixed.p_value, df=float(np.median(mixed.df)))
    if layout.lost or layout.level:
        return  # they compare the arms, and every pair whole
    pair, arm = layout.teams // 2, np.take(layout.arms, layout.teams)
    baseline = np.broadcast_to(X[..., -1:], (*y.shape, 1))
    paired = paired_team_means(y, baseline, groups, pair, arm)
    yield PAIRED, Level(paired.inference.p_value, df=float(paired.inference.df.max()))
    yield FLIPPED, Level(sign_flip(paired.pair_differences))


def measured(layout: Layout, icc: float, designs: int, outcomes: int) -> dict[str, Level]:
    """Return the tests of each inference in one layout."""
    rng = stream(SEED, "used up", layout.name, f"{icc:g}")
    return dict(measure(layout, *draw(layout, icc, designs, outcomes, rng)))


def of_counts(layout: Layout, icc: float, draws: int) -> Level:
    """Return the tests of the rate ratio, counts about exp of the outcome; each its own design."""
    rng = stream(SEED, "used up, counts", layout.name, f"{icc:g}")
    X, y, _ = draw(layout, icc, draws, 1, rng)
    fit = fit_glm(X[:, 0], rng.poisson(np.exp(1.0 + y[:, 0])).astype(float), "poisson")
    L = layout.contrasts(X.shape[-1])[:1]
    found = on_link_scale(fit, L, groups=layout.people)
    return Level(found.p_value, float(np.nanmax(found.used_up.share)))


def cell(level: Level | None) -> str:
    """Write a level, or why there is none."""
    if level is None:
        return "—"
    if level.refused == 1.0:
        return "refused" if level.share > 0.0 else "not fitted"
    some = f" ({level.refused:.1%} refused)" if level.refused else ""
    return f"{level.rejects:.3f}{some}".lstrip("0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--designs", type=int, default=100)
    parser.add_argument("--outcomes", type=int, default=100, help="drawn for each design")
    parser.add_argument("--counts", type=int, default=2_000, help="draws of the Poisson model")
    parser.add_argument("--icc", type=float, default=0.05)
    given = parser.parse_args()
    started, draws = time.perf_counter(), given.designs * given.outcomes
    for what, number in (("", draws), (" of counts", given.counts)):
        half = stats.norm.ppf(0.995) * (0.05 * 0.95 / max(number, 1)) ** 0.5
        print(f"{number} draws{what}: 99 % Monte Carlo band {0.05 - half:.3f} to {0.05 + half:.3f}")
    print("\n| layout | used up | df | " + " | ".join(INFERENCES) + " |")
    print("|---" * (3 + len(INFERENCES)) + "|")
    for layout in LAYOUTS:
        found = measured(layout, given.icc, given.designs, given.outcomes)
        if given.counts:
            found[COUNTS] = of_counts(layout, given.icc, given.counts)
        first = found[ANCOVA]
        df = "" if np.isnan(first.df) else f"{first.df:.1f}"
        cells = [cell(found.get(name)) for name in INFERENCES]
        row = " | ".join([layout.name, f"{first.share:.3f}", df, *cells])
        print(f"| {row} |", flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
