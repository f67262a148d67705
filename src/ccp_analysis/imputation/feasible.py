"""What can be imputed from the values that were observed, and from how many predictors.

Bayesian regression with n1 observed rows and k coefficients draws the residual variance from
RSS / chi-squared with n1 - k degrees of freedom: its mean exists from three on, its variance from
five. A cluster (or an arm) with an indicator of its own and nobody observed has no estimate of its
own; the average over the others is not drawn but taken as known. Predictive mean matching fills in
values of the observed: few of them, used again and again, are too alike, and too near the mean.
`benchmarks/imputation_study.py --few` measures all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.config.plan import Plan
from ccp_analysis.errors import few
from ccp_analysis.imputation.encoding import Encoded
from ccp_analysis.imputation.linear import MATCHED
from ccp_analysis.imputation.matching import PER_DONOR
from ccp_analysis.imputation.plan import Variable
from ccp_analysis.imputation.predictors import Choice, choose_predictors
from ccp_analysis.imputation.rules import method_of

PER_PREDICTOR = 10
"""Observed values for each predictor, beside the indicators of clusters or arms."""

RESIDUAL_DF = 5
"""Fewest observed values beyond the number of coefficients."""

FEW_TO_MATCH = 30
"""Fewer observed values are matched only where they are at least the share `MOST_OBSERVED`."""

MOST_OBSERVED = 0.4


@dataclass(frozen=True)
class Members:
    """Who belongs together in the imputation models.

    Attributes
    ----------
    arm, cluster : numpy.ndarray of str, shape (n,)
        Arm of each person; cluster, or the arm again where there are none.
    unit : str
        What a cluster is called; "arm" where there are none.
    by_arm : bool
        Whether either arm has models of its own.
    """

    arm: np.ndarray
    cluster: np.ndarray
    unit: str
    by_arm: bool

    def strata(self, missing: np.ndarray) -> list[np.ndarray]:
        """Return the rows of each model that imputes something."""
        if not self.by_arm:
            return [np.ones(len(self.arm), dtype=bool)]
        return [self.arm == arm for arm in np.unique(self.arm[missing])]

    def donors(self, asked: int, missing: np.ndarray) -> int:
        """Return how many donors are matched: fewer than asked for where few were observed."""
        fewest = min(int((rows & ~missing).sum()) for rows in self.strata(missing))
        return max(1, min(asked, fewest // PER_DONOR))

    def indicators(self, method: str, rows: np.ndarray) -> int:
        """Return how many coefficients a model has beside its predictors, the intercept counted."""
        fixed = self.arm if method == "2l.norm" else self.cluster
        return len(np.unique(fixed[rows]))


def feasible(
    variables: list[Variable], encoded: Encoded, plan: Plan, members: Members, never: np.ndarray
) -> tuple[dict[int, Choice], dict[int, str]]:
    """Choose the predictors of what can be imputed, and say of the rest why it cannot.

    Parameters
    ----------
    variables : list of Variable
        Variables of the imputation.
    encoded : Encoded
        Their values.
    plan : Plan
        Methods, donors, predictors that it adds and drops.
    members : Members
        Arms and clusters.
    never : numpy.ndarray of bool, shape (n, number of variables)
        Values that need not be imputed: they cannot exist.

    Returns
    -------
    chosen : dict
        Index of a variable → its predictors.
    refused : dict
        Index of a variable that is not imputed → why; also of what is derived from such a one.
    """
    gone = {
        target: np.isnan(encoded.values[:, encoded.columns_of(target)[0]])
        for target in range(len(variables))
        if encoded.incomplete(target)
    }

    def least(target: int) -> int:
        """Return the room in the smallest of the models of a variable."""
        method = method_of(variables[target], plan)
        return min(
            min(n1 // PER_PREDICTOR, n1 - members.indicators(method, rows) - RESIDUAL_DF)
            for rows in members.strata(gone[target])
            for n1 in [int((rows & ~gone[target]).sum())]
        )

    chosen = choose_predictors(variables, encoded, least, plan)
    refused = {}
    for target, choice in chosen.items():
        columns = sum(len(encoded.columns_of(int(p))) for p in choice.table["predictor"])
        lacking = gone[target] & ~never[:, target]
        why = _refusal(variables[target], encoded, target, plan, members, lacking, columns)
        if why:
            refused[target] = why
    _derived(variables, encoded, refused)
    if refused:
        chosen = choose_predictors(variables, encoded, least, plan, refused)
    return chosen, refused


def _refusal(
    variable: Variable,
    encoded: Encoded,
    target: int,
    plan: Plan,
    members: Members,
    lacking: np.ndarray,
    columns: int,
) -> str:
    """Say why a variable cannot be imputed; empty where it can."""
    own = encoded.values[:, encoded.columns_of(target)]
    seen = ~np.isnan(own[:, 0])
    if not seen.any():
        return "nobody was observed on it"
    if variable.codes and (own[seen] == own[seen][0]).all():
        return "everyone observed on it has the same category"
    method = method_of(variable, plan)
    named = {"arm": members.arm} | ({} if method == "2l.norm" else {members.unit: members.cluster})
    for what, codes in named.items():
        empty = sorted(set(codes[lacking]) - set(codes[seen]))
        if empty:
            listed = few(empty)
            way = "" if what == "arm" else f"; with the method 2l.norm a {what} may be empty"
            return f"nobody was observed on it in the {what}{'s' * (len(empty) > 1)} {listed}{way}"
    for rows in members.strata(lacking):
        n1, coefficients = int((rows & seen).sum()), members.indicators(method, rows) + columns
        where = f" in the arm {members.arm[rows][0]}" if members.by_arm else ""
        if n1 - coefficients < RESIDUAL_DF:
            return (
                f"{n1} observed values{where} are too few for {coefficients} coefficients; at "
                f"least {coefficients + RESIDUAL_DF} are expected"
            )
        if method in MATCHED and n1 < min(FEW_TO_MATCH, MOST_OBSERVED * rows.sum()):
            return (
                f"{n1} observed values{where} are too few to match {int((rows & lacking).sum())} "
                f"missing ones to; at least {FEW_TO_MATCH} or {MOST_OBSERVED:.0%} are expected"
            )
    return ""


def _derived(variables: list[Variable], encoded: Encoded, refused: dict[int, str]) -> None:
    """Add to what is refused the incomplete variables that follow from it."""
    place = {v.name: i for i, v in enumerate(variables)}
    for target, variable in enumerate(variables):
        lost = [p for p in (variable.rule.parts if variable.rule else ()) if place[p] in refused]
        if lost and encoded.incomplete(target):
            refused[target] = f"it follows from '{lost[0]}', and {refused[place[lost[0]]]}"
