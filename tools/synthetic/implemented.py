"""Draw the implementation: steps, contacts, fidelity, practitioners, and how it was received."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ccp_analysis.random import stream
from synthetic import people
from synthetic.parameters import Parameters
from synthetic.toolkit import FIDELITY, OCCASIONS, PARTS, STEPS, Ratings

YES_NO = np.array(["no", "yes"])


def _answers(latent: np.ndarray, shares: tuple[float, ...], shift: float = 0.0) -> np.ndarray:
    """Cut standard normal values into the answers 1, 2, ... with the given shares."""
    cuts = ndtri(np.cumsum(shares)[:-1])
    return 1 + np.searchsorted(cuts, latent + shift)


def _items(
    shared: np.ndarray, ratings: Ratings, shift: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw the answers (n, items) of people with these shared latent values."""
    own = rng.standard_normal((len(shared), len(ratings.items)))
    latent = ratings.loading * shared[:, None] + np.sqrt(1 - ratings.loading**2) * own
    return _answers(latent, ratings.shares, shift)


def draw_steps(
    parameters: Parameters, arm: np.ndarray, team: np.ndarray, factor: np.ndarray, seed: int
) -> np.ndarray:
    """Draw how many of the steps were done for each person.

    Parameters
    ----------
    parameters : Parameters
        Shares of people for whom each step is done, and what that depends on.
    arm, team : ndarray (n,)
        Whether the team has the intervention; team codes from 0.
    factor : ndarray (n,)
        General factor at baseline.
    seed : int
        Seed.

    Returns
    -------
    ndarray of int (n,)
        0 to 5: who has a step has had those before it.
    """
    truth = parameters.implementation
    rng = stream(seed, "simulation", "implementation", "steps")
    teams = np.sqrt(truth.delivery_team) * rng.standard_normal(len(parameters.team_sizes))
    rest = np.sqrt(1 - truth.delivery_team - truth.delivery_loading**2)
    latent = teams[team] + truth.delivery_loading * factor + rest * rng.standard_normal(len(team))
    done = [
        np.searchsorted(ndtri(1 - np.array(shares)), latent)
        for shares in (truth.contaminated, truth.reached)
    ]
    return np.where(arm, done[1], done[0])


def draw_experience(
    parameters: Parameters, participants: np.ndarray, steps: np.ndarray, seed: int
) -> pd.DataFrame:
    """Draw what people say of it at six months: one row each, as in ``experience.csv``."""
    truth, n = parameters.implementation, len(steps)
    rng = stream(seed, "simulation", "implementation", "experience")
    done = steps > 0
    said = np.where(done, 1 - truth.forgotten, truth.mistaken)
    table = pd.DataFrame({"participant": participants})
    explained = rng.random(n) < said
    table["explained"] = YES_NO[explained.astype(int)]
    for name, shares in (("goals_discussed", truth.goals), ("support_received", truth.support)):
        yes = rng.random(n) < np.where(done, shares[1], shares[0])
        table[name] = YES_NO[yes.astype(int)]
    answers = _items(rng.standard_normal(n), truth.users, 0.0, rng)
    for name, column in zip(truth.users.items, answers.T, strict=True):
        table[name] = pd.Series(column).astype("Int64").where(explained)
    return table


def draw_fidelity(
    parameters: Parameters,
    participants: np.ndarray,
    team: np.ndarray,
    steps: np.ndarray,
    seed: int,
) -> pd.DataFrame:
    """Draw the fidelity that is rated from records: one row each, as in ``fidelity.csv``."""
    truth = parameters.implementation
    rng = stream(seed, "simulation", "implementation", "fidelity")
    teams = np.sqrt(truth.fidelity_team) * rng.standard_normal(len(parameters.team_sizes))
    shared = teams[team] + np.sqrt(1 - truth.fidelity_team) * rng.standard_normal(len(team))
    own = rng.standard_normal((len(team), len(FIDELITY)))
    latent = truth.fidelity_loading * shared[:, None]
    latent = latent + np.sqrt(1 - truth.fidelity_loading**2) * own
    items = np.searchsorted(truth.fidelity_cuts, latent + truth.fidelity_step * steps[:, None])
    table = pd.DataFrame({"participant": participants})
    return table.assign(**dict(zip(FIDELITY, items.T, strict=True)))


def practitioner_codes(count: int) -> np.ndarray:
    """Return the practitioners' codes in order of teams: ``PR001``, ``PR002``, ..."""
    width = max(3, len(str(count)))
    return np.array([f"PR{i + 1:0{width}d}" for i in range(count)])


def draw_practitioners(parameters: Parameters, seed: int) -> pd.DataFrame:
    """Draw the practitioners of all teams, columns as in ``practitioners.csv``, ordered by team.

    What is asked of the toolkit, twice, is empty for teams without the intervention and for those
    who did not answer.
    """
    truth, teams = parameters.implementation, len(parameters.team_sizes)
    rng = stream(seed, "simulation", "implementation", "practitioners")
    low, high = truth.practitioners
    team = np.repeat(np.arange(teams), rng.integers(low, high + 1, teams))
    n, arm = len(team), np.array(parameters.intervention)[team]
    names, shares = zip(*truth.professions, strict=True)
    profession = np.searchsorted(np.cumsum(shares)[:-1], rng.random(n))
    trained = rng.random(n) < np.where(arm, truth.trained[1], truth.trained[0])
    caseload = truth.caseload_mean + truth.caseload_sd * rng.standard_normal(n)
    caseload = np.round(np.clip(caseload, truth.caseload_low, truth.caseload_high)).astype(int)
    answered = [arm & (rng.random(n) < share) for share in truth.answered]
    table = {
        "practitioner": practitioner_codes(n),
        "team": np.array(people.team_codes(parameters))[team],
        "profession": np.array(names)[profession],
        "trained": YES_NO[trained.astype(int)],
        "caseload": caseload,
    }
    ratings, barriers = (draw(parameters, team, seed) for draw in (_draw_ratings, _draw_barriers))
    asked = [{**one, **other} for one, other in zip(ratings, barriers, strict=True)]
    for occasion, there, answers in zip(OCCASIONS, answered, asked, strict=True):
        for item in asked_items(parameters):
            given = pd.Series(answers[item]).astype("Int64").where(there)
            table[f"{item}_{occasion}"] = given
    return pd.DataFrame(table)


def asked_items(parameters: Parameters) -> list[str]:
    """Return what practitioners are asked on an occasion, in the order of the file."""
    of_parts = [f"{what}_{part}" for part in PARTS for what in ("use", "clear", "rec")]
    drawn = [item for ratings in parameters.implementation.ratings for item in ratings.items]
    others = [item for item in drawn if item not in of_parts]
    return [*of_parts, *others, *(name for name, _ in parameters.implementation.barriers)]


def _twice(n: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """Draw standard normal values of two occasions (2, n) that correlate."""
    z = rng.standard_normal((2, n))
    z[1] = correlation * z[0] + np.sqrt(1 - correlation**2) * z[1]
    return z


def _draw_ratings(parameters: Parameters, team: np.ndarray, seed: int) -> list[dict]:
    """Draw all ratings at both occasions: item → answers."""
    truth, n, teams = parameters.implementation, len(team), len(parameters.team_sizes)
    rng = stream(seed, "simulation", "implementation", "general")
    general = truth.rating_general * rng.standard_normal(n)
    lasting = truth.rating_team + truth.rating_general**2
    retest = (truth.rating_retest - lasting) / (1 - lasting)
    found: list[dict] = [{} for _ in OCCASIONS]
    for ratings in truth.ratings:
        rng = stream(seed, "simulation", "implementation", "ratings", ratings.name)
        between = np.sqrt(truth.rating_team) * rng.standard_normal(teams)[team]
        own = np.sqrt(1 - lasting) * _twice(n, retest, rng)
        for number, answers in enumerate(found):
            shift = ratings.change * number
            items = _items(general + between + own[number], ratings, shift, rng)
            answers.update(zip(ratings.items, items.T, strict=True))
    return found


def _draw_barriers(parameters: Parameters, team: np.ndarray, seed: int) -> list[dict]:
    """Draw the barriers ticked at both occasions: barrier → 0 or 1."""
    truth, n, teams = parameters.implementation, len(team), len(parameters.team_sizes)
    found: list[dict] = [{} for _ in OCCASIONS]
    retest = (truth.barrier_retest - truth.barrier_team) / (1 - truth.barrier_team)
    for name, share in truth.barriers:
        rng = stream(seed, "simulation", "implementation", "barriers", name)
        between = np.sqrt(truth.barrier_team) * rng.standard_normal(teams)[team]
        own = np.sqrt(1 - truth.barrier_team) * _twice(n, retest, rng)
        for number, answers in enumerate(found):
            answers[name] = (between + own[number] > ndtri(1 - share)).astype(int)
    return found


def draw_contacts(
    parameters: Parameters,
    participants: np.ndarray,
    team: np.ndarray,
    steps: np.ndarray,
    practitioners: pd.DataFrame,
    start: np.ndarray,
    end: np.ndarray,
    seed: int,
) -> pd.DataFrame:
    """Draw the contacts, as in ``delivery.csv``.

    Parameters
    ----------
    parameters : Parameters
        For the number of contacts and with whom they are.
    participants, team, steps : ndarray (n,)
        Codes, team codes from 0, steps done.
    practitioners : pandas.DataFrame
        From `draw_practitioners`.
    start, end : ndarray of datetime64[D] (n,)
        Contacts lie between these days, some two weeks apart at least.
    seed : int
        Seed.

    Returns
    -------
    pandas.DataFrame
        participant, practitioner, date, step; ordered by participant and date.
    """
    truth = parameters.implementation
    rng = stream(seed, "simulation", "implementation", "contacts")
    person = np.repeat(np.arange(len(steps)), steps)
    step = np.arange(len(person)) - np.repeat(np.cumsum(steps) - steps, steps)
    number = 1 + rng.poisson(truth.contacts, len(person))
    person, step = np.repeat(person, number), np.repeat(step, number)
    # Working days of a person that are all different: sorted draws with gaps, and their ranks.
    first = start + 1
    days, total = np.busday_count(first, end), np.bincount(person, minlength=len(steps))
    gaps = np.floor(rng.random(len(person)) * np.maximum(days - total + 1, 1)[person]).astype(int)
    gaps = gaps[np.lexsort((gaps, person))]
    rank = np.arange(len(person)) - (np.cumsum(total) - total)[person]
    date = np.busday_offset(first[person], np.minimum(gaps + rank, days[person] - 1), "forward")
    codes = np.array(people.team_codes(parameters))
    size = practitioners["team"].value_counts().reindex(codes).to_numpy()
    place = np.cumsum(size) - size
    key = np.floor(rng.random(len(steps)) * size[team]).astype(int)
    anybody = np.floor(rng.random(len(person)) * size[team[person]]).astype(int)
    by_key = rng.random(len(person)) < truth.key_worker
    who = place[team[person]] + np.where(by_key, key[person], anybody)
    table = pd.DataFrame(
        {
            "participant": participants[person],
            "practitioner": practitioners["practitioner"].to_numpy()[who],
            "date": date.astype(str),
            "step": np.array(STEPS)[step],
        }
    )
    return table.drop_duplicates(ignore_index=True)  # of who was lost within days of many contacts
