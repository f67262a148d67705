"""Who is missing and why, and what a sensitivity analysis assumes of each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccp_analysis.analyses.design import Sample
from ccp_analysis.config.sensitivity import Scenario
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError, few
from ccp_analysis.groups import in_order
from ccp_analysis.layout import PLAN

# Beside the reasons of the column `left`: whoever is missing without one.
UNKNOWN = "unknown"
# Whoever was interviewed and has no value of the outcome.
INTERVIEWED = "interviewed"


def reasons(participants: pd.DataFrame) -> np.ndarray:
    """Return why each participant left, `UNKNOWN` where nothing is recorded; shape (n,)."""
    left = participants["left"].astype(object)
    return left.where(left.notna(), UNKNOWN).to_numpy(dtype=str)


def check_reasons(
    entry: str,
    named: dict,
    study: Study,
    participants: pd.DataFrame,
    more: tuple[str, ...] = (),
) -> None:
    """Raise StudyError where the plan names a reason that there is not.

    Parameters
    ----------
    entry : str
        Id of the analysis.
    named : dict
        Reasons are its keys.
    study : Study
        For the events that end participation: nobody need have had one.
    participants : pandas.DataFrame
        The cleaned table.
    more : tuple of str
        Further names that are allowed.
    """
    ending = study.losses.ending if study.losses else []
    known = in_order([*reasons(participants), *ending, UNKNOWN, *more])
    for reason in named:
        if reason not in known:
            raise StudyError(
                f"{PLAN}: '{entry}' names the reason '{reason}', which is no way to leave; "
                f"expected some of {few(known)}."
            )


def check_arms(entry: str, named: dict, study: Study) -> None:
    """Raise StudyError where the plan names an arm that the study does not have."""
    for arm in named:
        if arm not in study.arms.levels:
            raise StudyError(
                f"{PLAN}: '{entry}' names the arm '{arm}'; expected one of "
                f"{', '.join(study.arms.levels)}."
            )


def strategy_by_person(
    scenario: Scenario, participants: pd.DataFrame, lost: np.ndarray
) -> np.ndarray:
    """Return the strategy of each participant: by reason of loss, MAR for who was not lost."""
    own = [scenario.reasons.get(reason, scenario.strategy) for reason in reasons(participants)]
    return np.where(lost, own, "MAR")


def delta_by_person(
    delta: dict[str, float], study: Study, participants: pd.DataFrame
) -> np.ndarray:
    """Return what is added to a participant's imputed values, by arm; shape (n,)."""
    arms = participants[study.arms.variable]
    return arms.map(lambda arm: delta.get(arm, 0.0)).to_numpy(dtype=float)


def existing(chosen: Sample, value: str) -> Sample:
    """Return the people whose outcome exists: one that no imputation fills does not."""
    there = np.isfinite(chosen.stacked(value)).all(axis=0)
    if there.all():
        return chosen
    frame = chosen.frame[np.tile(there, chosen.m)].reset_index(drop=True)
    return Sample(frame, chosen.m, chosen.imputed, chosen.population)
