"""A synthetic twin of a study: its files and columns, drawn from its configuration alone.

Where participants' data may not leave, whoever reruns the code needs data on which it runs. In goes
what ``config/`` says: files, columns, levels and ranges, visits, clusters and arms, expected
numbers. No raw file is opened, so that no datum of a person can come out; what comes out has the
shape of the study and none of its results. It is a study folder marked synthetic.

Every answer hangs a little on a disposition of its person, or practitioner, and of their cluster,
so that scales hold together and clusters differ; nothing hangs on the arm.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import yaml
from scipy.special import ndtr

from ccp_analysis.cleaning.table import PARTICIPANT, PRACTITIONER
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.reading import read_yaml
from ccp_analysis.config.study import Study
from ccp_analysis.config.trial import Trial, configuration_files
from ccp_analysis.layout import DECISIONS, STUDY
from ccp_analysis.random import stream

PEOPLE = 120  # where the study does not say how many it expects
CLUSTERS = 10  # where the dictionary has no codes of them
STAFF = 8  # practitioners of a cluster
MISSING = 0.02  # of the answers
STAYING = 0.9  # from visit to visit, where the study does not say
MONTH = 365.25 / 12
# Of a disposition: what is the cluster's, and the person's own; the rest is of the answer alone.
SHARED, OWN = 0.2, 0.5
# Keys of study.yaml that are the authors' own words or names, and not the twin's.
DROPPED = ("statistician", "reviewer", "statements", "sharing", "target_trial")
README = """\
**SYNTHETIC DATA: nobody gave these answers.** This is the synthetic twin of the study '{title}',
drawn by `ccp_analysis.archive.twin` from the configuration alone: it has the files, columns,
levels, ranges, visits, clusters and arms of the study, and no datum of any participant. Its results
say nothing of the study. It is there so that the code can be run where the data may not be seen.
"""


@dataclass(frozen=True)
class Person:
    """Somebody drawn: where they belong, their disposition, and when they were seen."""

    id: str
    cluster: dict[str, str]
    leaning: float
    recruited: dt.date
    seen: dict[str, dt.date]
    lost: dt.date | None = None
    unseen: str | None = None


def place(study: Study) -> PurePosixPath:
    """Return where the twin of a study stands in its archive."""
    return PurePosixPath("examples", f"{study.id}_twin")


def files(trial: Trial) -> dict[str, bytes]:
    """Draw the study folder of the twin.

    Parameters
    ----------
    trial : Trial
        The configuration of the study in the current folder.

    Returns
    -------
    dict
        Name in the folder → content: configuration and raw data. The same configuration gives the
        same bytes.
    """
    config = {Path(path) for paths in configuration_files().values() for path in paths}
    left = {DECISIONS, STUDY}
    found = {path.as_posix(): path.read_bytes() for path in sorted(config - left)}
    found[STUDY.as_posix()] = _study_file(trial.study).encode()
    drawing = _Drawing(trial)
    for name in trial.study.files:
        columns = [column for column in trial.dictionary if column.file == name]
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([column.column for column in columns])
        rows.writerows(drawing.rows(name, columns))
        found[_path(name)] = text.getvalue().encode()
    note = README.format(title=trial.study.title).encode()
    return found | {"data/raw/README.md": note, "README.md": note}


def _path(file: str) -> str:
    return f"data/raw/{file}.csv"


def _study_file(study: Study) -> str:
    """Return ``study.yaml`` of the twin: that of the study, marked synthetic, its files as CSV."""
    content = {key: value for key, value in read_yaml(STUDY).items() if key not in DROPPED}
    content |= {"id": place(study).name, "title": f"SYNTHETIC TWIN of: {study.title}"}
    content |= {"short_title": f"SYNTHETIC TWIN: {study.short_title}", "data_status": "synthetic"}
    files: dict[str, dict[str, Any]] = {}
    for name, file in study.files.items():
        files[name] = {"path": _path(name), "rows": file.rows}
        if file.occasions:
            files[name]["occasions"] = [one.model_dump() for one in file.occasions]
    content["files"] = files
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return (
        f"# SYNTHETIC twin of a study: drawn from its configuration, no datum of a person.\n{text}"
    )


class _Drawing:
    """The people, clusters and practitioners of a twin, and the rows of its files."""

    def __init__(self, trial: Trial) -> None:
        self.study, self.dictionary = trial.study, trial.dictionary
        self.seed = trial.plan.seed
        self.rng = self._stream("people")
        self.clusters = self._clusters()
        self.leanings = self.rng.standard_normal(len(self.clusters))
        self.people = self._people()
        self.staff = [
            (f"SYNS{number:03d}", cluster, float(self.rng.standard_normal()))
            for number, cluster in enumerate(
                [cluster for cluster in range(len(self.clusters)) for _ in range(STAFF)], 1
            )
        ]

    def _stream(self, name: str) -> np.random.Generator:
        return stream(self.seed, "synthetic twin", name)

    def _codes(self, name: str) -> list[str]:
        """Return the codes of a variable, wherever the dictionary has them."""
        return next((list(c.codes) for c in self.dictionary if c.name == name and c.codes), [])

    def _clusters(self) -> list[dict[str, str]]:
        """Return clusters with pair and arm; where people were allocated, one for each arm."""
        study, arms = self.study, self.study.arms.ordered
        if study.clusters is None:
            return [{study.arms.variable: arm} for arm in arms]
        unit, pair = study.clusters.unit, study.clusters.pair
        units = self._codes(unit) or [f"SYNC{number:02d}" for number in range(1, CLUSTERS + 1)]
        half = max(1, len(units) // 2)
        pairs = self._codes(pair) or [f"SYNP{number:02d}" for number in range(1, half + 1)]
        return [
            {unit: name, pair: pairs[at // 2 % len(pairs)], study.arms.variable: arms[at % 2]}
            for at, name in enumerate(units)
        ]

    def _people(self) -> list[Person]:
        study, rng, expected = self.study, self.rng, self.study.expected
        total = expected.get("recruited") or max([PEOPLE, *expected.values()])
        stay, left = {}, total
        for visit in study.visits:
            later = [
                expected[v.id]
                for v in study.visits
                if v.id in expected and v.months >= visit.months
            ]
            guess = left if visit is study.baseline else round(STAYING * left)
            stay[visit.id] = left = min(left, expected.get(visit.id) or max([guess, *later]))
        order = rng.permutation(total)  # who stays longest comes first
        first = study.data_date - dt.timedelta(days=round(study.visits[-1].months * MONTH) + 270)
        people = []
        for at in range(total):
            cluster = at % len(self.clusters)
            recruited = first + dt.timedelta(days=int(rng.integers(0, 180)))
            start = recruited + dt.timedelta(days=int(rng.integers(1, 29)))
            on_time = {
                v.id: start + dt.timedelta(days=round(v.months * MONTH) + int(rng.integers(0, 15)))
                for v in study.visits
            }
            seen = {v: on_time[v] for v in on_time if order[at] < stay[v]}
            unseen = next((v for v in on_time if v not in seen), None)
            lost = max(seen.values()) + dt.timedelta(days=15) if seen and unseen else None
            leaning = SHARED * self.leanings[cluster] + OWN * rng.standard_normal()
            name = f"SYN{at + 1:04d}"
            people.append(
                Person(name, self.clusters[cluster], float(leaning), recruited, seen, lost, unseen)
            )
        return people

    def rows(self, file: str, columns: Sequence[Column]) -> Iterator[list[str]]:
        """Yield the rows of a raw file."""
        rng, spec = self._stream(file), self.study.files[file]
        if spec.rows == "cluster":
            for cluster, leaning in zip(self.clusters, self.leanings, strict=True):
                yield [cluster.get(c.name) or _answer(c, leaning, rng) for c in columns]
        elif spec.rows == "practitioner":
            for name, at, own in self.staff:
                leaning, known = SHARED * self.leanings[at] + OWN * own, self.clusters[at]
                there = {c.visit for c in columns if not c.visit or rng.random() < STAYING}
                known = known | {PRACTITIONER: name}
                yield [
                    known.get(c.name) or (_answer(c, leaning, rng) if c.visit in there else "")
                    for c in columns
                ]
        elif spec.rows == "event":
            yield from self._events(file, columns, rng)
        else:
            visits = {c.visit for c in columns if c.visit}
            visits |= {visit.id for visit in self.study.visits if visit.file == file}
            for person in self.people:
                if file == self.study.roster or visits & set(person.seen):
                    yield [self._cell(person, column, rng) for column in columns]

    def _cell(self, person: Person, column: Column, rng: np.random.Generator) -> str:
        """Return what a file of people has of a person."""
        answer = _answer(column, person.leaning, rng)
        if column.name == PARTICIPANT:
            return person.id
        if column.name in person.cluster:
            return person.cluster[column.name]
        reasons = {visit.reason: visit.id for visit in self.study.visits if visit.reason}
        if column.variable in reasons:
            return answer if person.unseen == reasons[column.variable] else ""
        at = column.visit or next(
            (visit.id for visit in self.study.visits if visit.file == column.file), ""
        )
        if at and at not in person.seen:
            return ""
        if column.type == "date":
            return (person.seen[at] if at else person.recruited).isoformat()
        return "" if rng.random() < MISSING else answer

    def _events(
        self, file: str, columns: Sequence[Column], rng: np.random.Generator
    ) -> Iterator[list[str]]:
        """Yield rows of losses, contacts or medication, and of files of any other events."""
        study = self.study
        losses, delivery, medication = study.losses, study.delivery, study.medication
        for person in self.people:
            given: list[dict[str, str]] = []
            last = person.lost or max(person.seen.values(), default=person.recruited)
            if losses and file == losses.file:
                given = list(self._losses(person, last, rng))
            elif delivery and file == delivery.file:
                if person.cluster[study.arms.variable] == study.arms.active:
                    given = list(self._contacts(person, last, rng))
            elif medication and file == medication.file:
                taken = [visit for visit in person.seen if rng.random() < 0.6]
                given = [{medication.visit: visit} for visit in taken]
            else:
                given = [{}] * int(rng.integers(0, 3))
            for known in given:
                known = known | {PARTICIPANT: person.id}
                yield [
                    known[c.name]
                    if c.name in known
                    else _day(person.recruited, last, rng).isoformat()
                    if c.type == "date"
                    else _answer(c, person.leaning, rng)
                    for c in columns
                ]

    def _losses(
        self, person: Person, last: dt.date, rng: np.random.Generator
    ) -> Iterator[dict[str, str]]:
        losses = self.study.losses
        assert losses is not None
        codes = self._codes(losses.event) or [*losses.ending, *losses.harms]
        others = [code for code in codes if code not in losses.ending]
        for code in others:
            if person.seen and rng.random() < 0.1:
                day = _day(min(person.seen.values()), last, rng)
                yield {losses.event: code, losses.date: day.isoformat()}
        if person.lost and losses.ending:
            usual = [code for code in losses.ending if code != losses.death] or losses.ending
            died = losses.death in losses.ending and rng.random() < 0.1
            code = losses.death if died and losses.death else usual[rng.integers(len(usual))]
            yield {losses.event: code, losses.date: person.lost.isoformat()}

    def _contacts(
        self, person: Person, last: dt.date, rng: np.random.Generator
    ) -> Iterator[dict[str, str]]:
        delivery = self.study.delivery
        assert delivery is not None
        team = [name for name, at, _ in self.staff if self.clusters[at] == person.cluster]
        for _ in range(int(rng.poisson(3)) if person.seen else 0):
            day = _day(min(person.seen.values()), last, rng)
            yield {
                delivery.practitioner: team[rng.integers(len(team))],
                delivery.date: day.isoformat(),
            }


def _day(first: dt.date, last: dt.date, rng: np.random.Generator) -> dt.date:
    return first + dt.timedelta(days=int(rng.integers(0, max(1, (last - first).days))))


def _answer(column: Column, leaning: float, rng: np.random.Generator) -> str:
    """Draw a value within the levels or the plausible range of a column."""
    rest = (1 - SHARED**2 - OWN**2) ** 0.5
    share = float(ndtr(leaning + rest * rng.standard_normal()))
    if column.codes:
        codes = list(column.codes)
        if column.type == "category":
            share = float(rng.random())
        else:
            codes.sort(key=float)
        return codes[min(int(share * len(codes)), len(codes) - 1)]
    if not column.numeric:
        return {"text": "synthetic"}.get(column.type, f"SYN{int(rng.integers(1000)):04d}")
    low, high = _range(column)
    if column.type == "integer" and low == 0 and column.soft_maximum is not None:
        share = max(0.0, share - 0.3) ** 3 / 0.7**3  # of what is counted most is little or nothing
    if column.type == "integer":
        return str(int(min(low + share * (high - low + 1), high)))
    return f"{low + share * (high - low):.{1 if high - low > 10 else 3}f}"


def _range(column: Column) -> tuple[float, float]:
    """Return between what values of a number are plausible."""
    lows = [limit for limit in (column.soft_minimum, column.minimum) if limit is not None]
    highs = [limit for limit in (column.soft_maximum, column.maximum) if limit is not None]
    low = lows[0] if lows else min(0.0, highs[0] - 10 if highs else 0.0)
    return low, max(low, highs[0]) if highs else low + 10
