"""How it was received, by whom, what stood in the way, and who took it on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ccp_analysis.config.implementation import Rating
from ccp_analysis.groups import names_of
from ccp_analysis.implementation.exposures import has_code, number
from ccp_analysis.implementation.scope import (
    IMPLEMENTATION,
    Row,
    Scope,
    difference,
    mean,
    share,
)
from ccp_analysis.models.reliability import alpha_limits, cronbach_alpha
from ccp_analysis.results.terms import Inference, Model, Population, Role, Status, Term

PRACTITIONERS, PARTICIPANTS, OTHERS = "practitioners", "participants", "others"
ADOPTION, TRAINED = "adoption", "trained"
QUARTILES = {Term.LOWER_QUARTILE: 0.25, Term.MEDIAN: 0.5, Term.UPPER_QUARTILE: 0.75}


@dataclass(frozen=True)
class Answers:
    """The answers to a group of items at one time, of those who gave any.

    Attributes
    ----------
    rating : Rating
        The group.
    visit : str
        Occasion, or visit.
    people : pandas.DataFrame
        Those who answered, n rows.
    values : numpy.ndarray
        Shape (n, k); NaN where an item was not answered.
    """

    rating: Rating
    visit: str
    people: pd.DataFrame
    values: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """Each person's mean of the items answered, shape (n,)."""
        return np.nanmean(self.values, axis=1)

    @property
    def top(self) -> np.ndarray:
        """Each person's share of answers in the top boxes, of the items answered; shape (n,)."""
        there = ~np.isnan(self.values)
        return (np.isin(self.values, self.rating.top) & there).sum(axis=1) / there.sum(axis=1)


def received_rows(
    scope: Scope,
    participants: pd.DataFrame,
    practitioners: pd.DataFrame | None,
    delivery: pd.DataFrame | None,
) -> list[Row]:
    """Return ratings, what changed in them, professions and users beside, barriers, adoption."""
    rows: list[Row] = []
    given: dict[tuple[str, str], Answers] = {}
    for rating in scope.asked.ratings:
        people = participants if rating.who == PARTICIPANTS else practitioners
        if people is None:
            continue
        for visit in _times(scope, rating):
            answers = _answers(rating, visit, people)
            given[rating.id, visit] = answers
            rows += _ratings(scope, answers)
            if rating.who == PRACTITIONERS:
                rows += _professions(scope, answers)
        if rating.who == PRACTITIONERS:
            rows += _changed(scope, rating, people)
    rows += _beside(scope, given)
    if practitioners is not None:
        rows += _barriers(scope, practitioners, scope.teams(participants))
        rows += _adoption(scope, practitioners, delivery, scope.teams(participants))
    shared = {"analysis": IMPLEMENTATION, "role": Role.DESCRIPTIVE, "model": Model.NONE}
    shared |= {"population": Population.PRACTITIONERS, "inference": Inference.NONE}
    return [{**shared, **row} for row in rows]


def _times(scope: Scope, rating: Rating) -> list[str]:
    """Return when a group of items was asked."""
    return [rating.visit] if rating.visit else scope.occasions


def _answers(rating: Rating, visit: str, people: pd.DataFrame) -> Answers:
    """Return the answers of those who gave any."""
    columns = [number(people[f"{item}_{visit}"]) for item in rating.items]
    values = np.column_stack(columns)
    there = ~np.isnan(values).all(axis=1)
    return Answers(rating, visit, people[there], values[there])


def _population(rating: Rating) -> str:
    recruited = rating.who == PARTICIPANTS
    return Population.RECRUITED if recruited else Population.PRACTITIONERS


def _ratings(scope: Scope, answers: Answers) -> list[Row]:
    """Return what all who answered say, of each item and of the group."""
    rating, team = answers.rating, scope.codes(answers.people)
    head = {"visit": answers.visit, "level": rating.who, "population": _population(rating)}
    rows: list[Row] = []
    for at, item in enumerate(rating.items):
        known = ~np.isnan(answers.values[:, at])
        values, top = answers.values[known, at], np.isin(answers.values[known, at], rating.top)
        found = {
            Term.TOP_BOXES: share(scope, top.astype(float), team[known]),
            Term.MEAN: mean(scope, values, team[known]),
        }
        for term, part in QUARTILES.items():
            row: Row = {"n": len(values), "inference": Inference.NONE}
            found[term] = row | (
                {"estimate": float(np.quantile(values, part))}
                if len(values)
                else {"status": Status.REFUSED, "note": "nobody answered"}
            )
        if _kept_back(scope, rating, top.astype(float)):
            found = dict.fromkeys(found, scope.hidden)
        rows += [head | {"outcome": item, "term": term} | row for term, row in found.items()]
    whole = {
        Term.TOP_BOXES: share(scope, answers.top, team),
        Term.MEAN: mean(scope, answers.means, team),
        Term.ALPHA: _alpha(scope, answers, team),
    }
    if rating.who == PRACTITIONERS and scope.few(len(answers.people)):
        whole = dict.fromkeys(whole, scope.hidden)
    return rows + [head | {"outcome": rating.id, "term": term} | row for term, row in whole.items()]


def _kept_back(scope: Scope, rating: Rating, *cells: np.ndarray) -> bool:
    return rating.who == PRACTITIONERS and scope.small(*cells)


def _alpha(scope: Scope, answers: Answers, team: np.ndarray) -> Row:
    """Return Cronbach's alpha of those who answered all items."""
    whole = ~np.isnan(answers.values).any(axis=1)
    items = answers.values[whole]
    row: Row = {"scale": "ratio", "n": len(items), "n_clusters": len(np.unique(team[whole]))}
    found = cronbach_alpha(items)
    if np.isnan(found):
        note = "two items and two people whose answers differ are needed"
        return row | {"status": Status.REFUSED, "note": note}
    low, high, df = alpha_limits(items, team[whole], scope.level)
    if np.isnan(low):
        note = f"no interval: left out one by one, {scope.unit}s leave too little"
        return row | {"estimate": found, "status": Status.REFUSED, "note": note}
    row |= {"conf_low": low, "conf_high": high, "conf_level": scope.level, "df": df}
    note = f"those who answered all items; the jackknife leaves out one {scope.unit} after another"
    return row | {"estimate": found, "inference": Inference.JACKKNIFE, "note": note}


def _professions(scope: Scope, answers: Answers) -> list[Row]:
    """Set the profession of interest against all others, in the group of items."""
    asked, rating = scope.asked.practitioners, answers.rating
    if asked is None or asked.profession is None:
        return []
    known = answers.people[asked.profession].notna().to_numpy()
    mine = (answers.people[asked.profession].astype(str) == asked.of_interest).to_numpy()[known]
    team = scope.codes(answers.people)[known]
    head = {"outcome": rating.id, "visit": answers.visit}
    rows: list[Row] = []
    for term, all_values in {Term.TOP_BOXES: answers.top, Term.MEAN: answers.means}.items():
        values = all_values[known]
        parts = {f"{asked.of_interest}": mine, OTHERS: ~mine}
        summary = share if term == Term.TOP_BOXES else mean
        found = {
            name: {"subgroup": name, "term": term, "level": rating.who}
            | summary(scope, values[inside], team[inside])
            for name, inside in parts.items()
        }
        scale = "proportion" if term == Term.TOP_BOXES else ""
        between = f"{asked.of_interest} - {OTHERS}"
        row = {"term": Term.GROUP_DIFFERENCE, "level": between, "scale": scale}
        found["between"] = row | difference(scope, values, mine.astype(float), team)
        if scope.few(*(int(inside.sum()) for inside in parts.values())):
            keys = ("term", "level", "subgroup", "scale")
            kept = [{key: row[key] for key in keys if key in row} for row in found.values()]
            rows += [head | row | scope.hidden for row in kept]
        else:
            rows += [head | row for row in found.values()]
    return rows


def _changed(scope: Scope, rating: Rating, people: pd.DataFrame) -> list[Row]:
    """Return the mean change from the first occasion to the last, of those who answered at both."""
    times = _times(scope, rating)
    if len(times) < 2:
        return []
    before, after = (_answers(rating, visit, people) for visit in (times[0], times[-1]))
    both = before.people.index.intersection(after.people.index)
    apart = pd.Series(after.means, after.people.index) - pd.Series(
        before.means, before.people.index
    )
    values = apart.loc[both].to_numpy(dtype=float)
    row = mean(scope, values, scope.codes(people.loc[both]))
    head = {"outcome": rating.id, "visit": after.visit, "term": Term.CHANGE}
    head["level"] = f"{after.visit} - {before.visit}"
    if scope.few(len(values)):
        return [head | scope.hidden]
    note = "of those who answered at both occasions"
    return [head | row | {"note": "; ".join(filter(None, [note, row.get("note")]))}]


def _beside(scope: Scope, given: dict[tuple[str, str], Answers]) -> Iterator[Row]:
    """Set practitioners beside the service users who rated the same."""
    for rating in scope.asked.ratings:
        users = given.get((rating.id, rating.visit or ""))
        staff = [a for (name, _), a in given.items() if name == rating.beside]
        if users is None or not staff:
            continue
        last = staff[-1]
        for at, item in enumerate([*rating.items, ""]):
            picked = [one.values[:, at : at + 1] if item else one.values for one in (last, users)]
            known = [~np.isnan(values).all(axis=1) for values in picked]
            sides = [
                Answers(one.rating, one.visit, one.people[there], values[there])
                for one, values, there in zip((last, users), picked, known, strict=True)
            ]
            of = np.repeat([1.0, 0.0], [len(side.people) for side in sides])
            team = scope.codes(pd.concat([side.people for side in sides]))
            row = {
                "outcome": item or rating.id,
                "visit": rating.visit,
                "term": Term.GROUP_DIFFERENCE,
                "level": f"{PRACTITIONERS} - {PARTICIPANTS}",
                "population": Population.RATERS,
                "scale": "proportion",
            }
            if scope.small(sides[0].top) if item else scope.few(len(sides[0].people)):
                yield row | scope.hidden
                continue
            values = np.concatenate([side.top for side in sides])
            note = f"share in the top boxes; practitioners at the occasion '{last.visit}'"
            found = difference(scope, values, of, team)
            found["note"] = "; ".join(filter(None, [note, found.get("note")]))
            yield row | found


def _by_team(
    scope: Scope, people: pd.DataFrame, values: np.ndarray, teams: dict[str, str], head: Row
) -> list[Row]:
    """Return a share of all practitioners, and of each cluster: of all of these or of none."""
    known = ~np.isnan(values)
    inside, held = people[known], values[known]
    whole = share(scope, held, scope.codes(inside))
    rows = [head | {"level": PRACTITIONERS} | (scope.hidden if scope.small(held) else whole)]
    # Where nobody of an arm was asked, its clusters have nothing to say.
    asked = set(inside[scope.study.arms.variable].astype(str))
    cells: list[tuple[Row, np.ndarray]] = []
    at = pd.Series(np.arange(len(inside)), inside.index)
    for team, arm in teams.items():
        own = at.loc[scope.of_team(inside, team).index].to_numpy()
        if arm in asked:
            cells.append(({"level": arm, "subgroup": team}, held[own]))
    hidden = scope.small(*(cell for _, cell in cells if len(cell)))
    for label, cell in cells:
        if len(cell) == 0:
            note = f"no practitioner of this {scope.unit} of whom it is known"
            rows.append(head | label | {"status": Status.REFUSED, "note": note})
        elif hidden:
            rows.append(head | label | scope.hidden)
        else:
            rows.append(head | label | share(scope, cell, np.zeros(len(cell), dtype=int)))
    return [{"scale": "proportion"} | row for row in rows]


def _barriers(scope: Scope, people: pd.DataFrame, teams: dict[str, str]) -> list[Row]:
    """Return who named what stood in the way, at each occasion."""
    rows: list[Row] = []
    for barrier in scope.asked.barriers:
        for visit in scope.occasions:
            named = number(people[f"{barrier.id}_{visit}"])
            head = {"outcome": barrier.id, "visit": visit, "term": Term.NAMED}
            rows += _by_team(scope, people, named, teams, head)
    return rows


def _adoption(
    scope: Scope,
    people: pd.DataFrame,
    delivery: pd.DataFrame | None,
    teams: dict[str, str],
) -> list[Row]:
    """Return which practitioners were trained, and which had any contact; of the active arm."""
    asked, arms = scope.asked.practitioners, scope.study.arms
    active = people[people[arms.variable].astype(str) == arms.active]
    own = {team: arm for team, arm in teams.items() if arm == arms.active}
    rows: list[Row] = []
    if asked and asked.trained:
        values = has_code(active[asked.trained.variable], asked.trained.code)
        head = {"outcome": TRAINED, "term": Term.PROPORTION}
        rows += _by_team(scope, active, values, own, head)
    if delivery is not None:
        gave = names_of(active["practitioner"]).isin(names_of(delivery["practitioner"].dropna()))
        head = {"outcome": ADOPTION, "term": Term.PROPORTION}
        rows += _by_team(scope, active, gave.to_numpy(dtype=float), own, head)
    return rows


def rating_points(
    scope: Scope, participants: pd.DataFrame, practitioners: pd.DataFrame | None
) -> pd.DataFrame:
    """Return the share of each answer to each item, for bars; nothing of too few practitioners."""
    points = []
    for rating in scope.asked.ratings:
        people = participants if rating.who == PARTICIPANTS else practitioners
        for visit in _times(scope, rating) if people is not None else []:
            answers = _answers(rating, visit, people)
            for at, item in enumerate(rating.items):
                values = answers.values[~np.isnan(answers.values[:, at]), at]
                cells = [(values == answer).astype(float) for answer in rating.scale]
                if len(values) == 0 or _kept_back(scope, rating, *cells):
                    continue
                for answer, cell in zip(rating.scale, cells, strict=True):
                    points.append(
                        {
                            "figure": "ratings",
                            "outcome": item,
                            "series": f"{rating.who}, {visit}",
                            "x": answer,
                            "y": cell.mean(),
                            "z": len(values),
                        }
                    )
    return pd.DataFrame(points)
