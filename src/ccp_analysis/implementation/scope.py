"""What every question of the room needs, and rows of means and shares of people in clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ccp_analysis.analyses.shares import ROUNDING, no_estimate
from ccp_analysis.analyses.shares import Row as Row
from ccp_analysis.analyses.shares import share as share_of
from ccp_analysis.config.implementation import Implementation
from ccp_analysis.config.study import Study
from ccp_analysis.groups import groups, names_of
from ccp_analysis.models.inference import Inference as Found
from ccp_analysis.models.ols import RankDeficientError, classical, fit_ols
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.results.terms import Inference

IMPLEMENTATION = "implementation"  # id of these rows among the analyses


@dataclass(frozen=True)
class Scope:
    """The study, what is asked of its implementation, and the level of intervals."""

    study: Study
    asked: Implementation
    level: float

    @property
    def unit(self) -> str:
        """What a cluster is called; a person where there is none."""
        return self.study.clusters.unit_label if self.study.clusters else "person"

    @property
    def occasions(self) -> list[str]:
        """When practitioners were asked."""
        file = self.study.practitioners
        return [occasion.id for occasion in self.study.files[file].occasions] if file else []

    def codes(self, people: pd.DataFrame) -> np.ndarray:
        """Return the code of each row's cluster; where there is none everybody is alone."""
        if self.study.clusters is None:
            return np.arange(len(people))
        return groups(people[self.study.clusters.unit]).codes

    def teams(self, participants: pd.DataFrame) -> dict[str, str]:
        """Return the arm of each cluster; nothing where there is none."""
        if self.study.clusters is None:
            return {}
        unit = groups(participants[self.study.clusters.unit])
        arm = participants[self.study.arms.variable].astype(str).to_numpy()
        return dict(zip(unit.names, arm[unit.first], strict=True))

    def of_team(self, people: pd.DataFrame, team: str) -> pd.DataFrame:
        """Return the rows of a cluster."""
        if self.study.clusters is None:
            return people
        return people[names_of(people[self.study.clusters.unit]) == team]

    def few(self, *sizes: int) -> bool:
        """Return whether a number of practitioners is less than may be shown, of real data."""
        return self.study.guarded and min(sizes) < self.study.disclosure.smallest

    def small(self, *cells: np.ndarray) -> bool:
        """Return whether `few` is so of those asked, or who answered either way; cells of 0 and 1.

        That nobody answered one way is shown: it is said of everyone.
        """
        return any(
            self.few(len(cell), *(n for n in (int(cell.sum()), int((1 - cell).sum())) if n))
            for cell in cells
        )

    @property
    def hidden(self) -> Row:
        """What is said in place of something of too few practitioners."""
        least = self.study.disclosure.smallest
        return no_estimate(f"not shown: a number of practitioners would be less than {least}")


def share(scope: Scope, values: np.ndarray, team: np.ndarray) -> Row:
    """Return a share of people, with an interval that knows their clusters, as a row's columns."""
    return share_of(values, team, scope.level, scope.asked.assumed_icc, scope.unit)


def mean(scope: Scope, values: np.ndarray, team: np.ndarray) -> Row:
    """Return a mean with its interval by CR2 over clusters, or of the people of a single one."""
    n, clusters = len(values), len(np.unique(team))
    if n == 0:
        return {**no_estimate("nobody of whom it is known"), "n": 0}
    found = float(values.mean())
    found = 0.0 if abs(found) < ROUNDING else found
    row: Row = {"estimate": found, "n": n, "n_clusters": clusters}
    if n < 2:
        return row | no_estimate("of one person there is no interval")
    fit, L = fit_ols(np.ones((n, 1)), values), np.ones((1, 1))
    if clusters > 1:
        return row | _limits(scope, cluster_robust(fit, team, L), Inference.CR2)
    note = f"of these people alone: nothing is said of other {scope.unit}s"
    return {"note": note} | row | _limits(scope, classical(fit, L), Inference.T)


def difference(scope: Scope, values: np.ndarray, of: np.ndarray, team: np.ndarray) -> Row:
    """Return the difference between those of whom something is so and others, CR2 over clusters."""
    clusters = len(np.unique(team))
    row: Row = {"n": len(values), "n_clusters": clusters}
    if len(np.unique(of)) < 2 or clusters < 2:
        what = "nobody is in one of the groups" if clusters > 1 else f"there is one {scope.unit}"
        return row | no_estimate(what)
    try:
        fit = fit_ols(np.column_stack([np.ones(len(values)), of]), values)
    except (RankDeficientError, ValueError) as error:
        return row | no_estimate(str(error).rstrip("."))
    found = cluster_robust(fit, team, np.array([[0.0, 1.0]]))
    estimate = float(found.estimate[0])
    # What is left of no difference at all is rounding, which differs between processors.
    estimate = 0.0 if abs(estimate) < ROUNDING else estimate
    return {"estimate": estimate} | row | _limits(scope, found, Inference.CR2)


def _limits(scope: Scope, found: Found, inference: Inference) -> Row:
    """Return standard error, degrees of freedom and limits; or that there are none."""
    if not np.isfinite(found.std_error[0]):
        why = found.used_up.sentence() if found.used_up else ""
        return no_estimate(why or "nothing differs in it that an interval could rest on")
    low, high = found.interval(scope.level)
    values = {"std_error": found.std_error, "df": found.df, "conf_low": low, "conf_high": high}
    row: Row = {name: float(value[0]) for name, value in values.items()}
    return row | {"conf_level": scope.level, "inference": inference}
