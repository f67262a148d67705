"""Who is recruited and when, who they are, who is lost, and what befalls them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, gammaincinv, ndtr

from synthetic.parameters import Parameters

NO_BASELINE_REASONS = ("withdrew", "not_reached", "unwell", "discharged")
REASONS = {
    "loss": ("not_reached", "moved_away", "discharged"),
    "withdrawal": ("no_time", "unwell", "no_reason_given"),
    "death": ("unrelated",),
    "moved_team": ("reorganisation", "change_of_address"),
    "adverse_event": ("hospital_admission", "injury", "other"),
}


def trust_codes(parameters: Parameters) -> list[str]:
    """Return the codes of the Trusts: ``trust_a`` ... where letters suffice, else numbers."""
    count = len(parameters.team_sizes) // 2
    if count <= 26:
        return [f"trust_{chr(ord('a') + i)}" for i in range(count)]
    return [f"trust_{i + 1:0{len(str(count))}d}" for i in range(count)]


def team_codes(parameters: Parameters) -> list[str]:
    """Return the codes of the teams: ``T01``, ``T02``, ..."""
    count = len(parameters.team_sizes)
    return [f"T{i + 1:0{max(2, len(str(count)))}d}" for i in range(count)]


def participant_codes(parameters: Parameters) -> list[str]:
    """Return the participants' codes in order of recruitment: ``CP001``, ``CP002``, ..."""
    width = max(3, len(str(parameters.recruited)))
    return [f"CP{i + 1:0{width}d}" for i in range(parameters.recruited)]


def draw_dates(parameters: Parameters, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the dates of recruitment and of both interviews, all on working days.

    Returns
    -------
    dict of str to ndarray of datetime64[D] (n,)
        ``recruited`` (ascending), ``baseline``, ``month6``.
    """
    n = parameters.recruited
    first = np.datetime64(parameters.recruited_from, "D")
    last = np.datetime64(parameters.recruited_to, "D")
    offsets = np.sort(rng.integers(0, int((last - first).astype(int)) + 1, n))
    recruited = np.busday_offset(first + offsets, 0, roll="backward")
    recruited = np.maximum(recruited, np.busday_offset(first, 0, roll="forward"))
    after = rng.integers(1, parameters.interview_days - 1, n)  # a weekend adds up to two days
    baseline = np.busday_offset(recruited + after, 0, roll="forward")
    late = np.round(parameters.follow_up_sd * rng.standard_normal(n)).astype(int)
    window = parameters.follow_up_window
    due = baseline + parameters.follow_up_days
    month6 = np.busday_offset(due + np.clip(late, -window, window - 2), 0, roll="forward")
    return {"recruited": recruited, "baseline": baseline, "month6": month6}


def draw_demographics(parameters: Parameters, rng: np.random.Generator) -> pd.DataFrame:
    """Draw age, the categories and the years in contact with services.

    Returns
    -------
    pandas.DataFrame (n rows)
        ``age`` (whole years), one column for each category, ``years_in_contact`` (whole years).
        They are independent of the outcomes and, age and years apart, of each other.
    """
    n = parameters.recruited
    z = rng.standard_normal(n)
    age = parameters.age_mean + parameters.age_sd * z
    age = np.round(np.clip(age, parameters.age_low, parameters.age_high)).astype(int)
    table = {"age": age}
    for category in parameters.categories:
        cuts = np.cumsum(category.shares)[:-1]
        table[category.name] = np.array(category.codes)[np.searchsorted(cuts, rng.random(n))]
    own = rng.standard_normal(n)
    u = ndtr(parameters.years_age * z + np.sqrt(1 - parameters.years_age**2) * own)
    years = parameters.years_scale * gammaincinv(parameters.years_shape, u)
    table["years_in_contact"] = np.minimum(np.round(years), age - 14).astype(int)
    return pd.DataFrame(table)


def loss_probabilities(
    parameters: Parameters, wellbeing: np.ndarray, age: np.ndarray
) -> np.ndarray:
    """Return each person's probability of being lost, given what was observed at baseline.

    A logistic model whose intercept makes the probabilities sum to the number that is lost.

    Parameters
    ----------
    parameters : Parameters
        For the log odds ratios, and the means and SDs that standardise.
    wellbeing, age : ndarray (n,)
        Of those with a baseline interview.

    Returns
    -------
    ndarray (n,)
        Probabilities.
    """
    if parameters.lost == 0:
        return np.zeros(len(age))
    scale = next(s for s in parameters.scales if s.name == "wellbeing")
    linear = parameters.loss_wellbeing * (wellbeing - scale.mean) / scale.sd
    linear = linear + parameters.loss_age * (age - parameters.age_mean) / parameters.age_sd

    def fault(intercept: float) -> float:
        return float(expit(intercept + linear).sum()) - parameters.lost

    return expit(brentq(fault, -30.0, 30.0, xtol=1e-13) + linear)


def systematic_sample(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a sample of exact size with the given inclusion probabilities (Madow 1949).

    Parameters
    ----------
    probabilities : ndarray (n,)
        Their sum is the size of the sample, a whole number.
    rng : numpy.random.Generator
        Source of the random order and of the random start.

    Returns
    -------
    ndarray of bool (n,)
        Who is drawn.
    """
    order = rng.permutation(len(probabilities))
    upper = np.cumsum(probabilities[order])
    size = round(float(upper[-1])) if len(upper) else 0
    drawn = np.zeros(len(probabilities), dtype=bool)
    places = np.minimum(np.searchsorted(upper, rng.random() + np.arange(size)), len(upper) - 1)
    drawn[order[places]] = True
    return drawn


def _quota(shares: tuple[tuple[str, float], ...], size: int) -> list[str]:
    """Share out `size` places in the given proportions, by largest remainder."""
    exact = np.array([share for _, share in shares]) * size
    counts = np.floor(exact + 1e-9).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: size - counts.sum()]] += 1
    return [kind for (kind, _), count in zip(shares, counts, strict=True) for _ in range(count)]


def draw_events(
    parameters: Parameters,
    participants: np.ndarray,
    team: np.ndarray,
    dates: dict[str, np.ndarray],
    followed: np.ndarray,
    lost: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw the events of the status file.

    Parameters
    ----------
    parameters : Parameters
        For the kinds of event and their shares.
    participants : ndarray of str (n,)
        Codes.
    team : ndarray of int (n,)
        Team codes from 0.
    dates : dict of str to ndarray
        From `draw_dates`.
    followed, lost : ndarray of bool (n,)
        Who has a six-month interview, and who has only a baseline.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    pandas.DataFrame
        participant, event, date, reason, to_team; one row for each of the lost, besides moves to
        another team and adverse events among the followed-up; ordered by participant.
    """
    stayers = rng.permutation(np.flatnonzero(followed))
    moved = stayers[: round(parameters.moved * len(stayers))]
    adverse = stayers[len(moved) : len(moved) + round(parameters.adverse * len(stayers))]
    ended = rng.permutation(np.flatnonzero(lost))
    people = np.concatenate([ended, moved, adverse]).astype(int)
    kinds = _quota(parameters.ended, len(ended))
    kinds += ["moved_team"] * len(moved) + ["adverse_event"] * len(adverse)
    codes, teams = team_codes(parameters), len(parameters.team_sizes)
    rows = []
    for person, kind in zip(people, kinds, strict=True):
        span = int((dates["month6"][person] - dates["baseline"][person]).astype(int))
        to_team = ""
        if kind == "moved_team":  # half within the Trust, which is into the other arm
            other = int(rng.integers(teams - 1))
            other += other >= team[person]
            to_team = codes[team[person] ^ 1 if rng.random() < 0.5 else other]
        date = dates["baseline"][person] + int(rng.integers(14, span - 6))
        reason = REASONS[kind][int(rng.integers(len(REASONS[kind])))]
        rows.append((participants[person], kind, str(date), reason, to_team))
    table = pd.DataFrame(rows, columns=["participant", "event", "date", "reason", "to_team"])
    return table.sort_values(["participant", "date"], kind="stable", ignore_index=True)
