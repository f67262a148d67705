"""How alike the arms were at baseline, before and after weighting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import pandas as pd

from ccp_analysis.config.models import LABELS
from ccp_analysis.report.canvas import Figure
from ccp_analysis.report.cells import contrast, estimate, level_of, primary_names, with_interval
from ccp_analysis.report.drawing import ACTIVE, INK, LINE, MUTED, REFERENCE, RULE, WIDTH, within
from ccp_analysis.report.marks import how_many
from ccp_analysis.report.section import Configured, FigureItem, Item, Section, TableItem
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.table import Column, Table
from ccp_analysis.report.words import capitalised, inside, known, listed, number
from ccp_analysis.results.terms import Model, Population, Status, Term

WEIGHTED = (Model.OVERLAP, Model.ENTROPY)
CALLED = {Model.OVERLAP: "Overlap weights", Model.ENTROPY: "Entropy balancing"}
NEAR = 0.1  # standard deviations: less is commonly taken for balance
BINS = 20


class Compared(NamedTuple):
    """A characteristic with its rows of the results by model, term and population."""

    name: str
    category: str
    rows: dict[tuple[str, str, str], Row]

    def of(
        self,
        term: str = Term.MEAN_DIFFERENCE,
        model: str = Model.NONE,
        population: str = Population.COMPLETED,
    ) -> Row | None:
        """Return the row of a comparison."""
        return self.rows.get((model, term, population))


def compared(source: Source) -> list[Compared]:
    """Return every characteristic that was compared, as the baseline table has them in order."""
    found: dict[tuple[str, str], dict[tuple[str, str, str], Row]] = {}
    for row in source.rows(analysis="balance"):
        if row["outcome"]:
            rows = found.setdefault((row["outcome"], row["subgroup"]), {})
            rows[row["model"], row["term"], row["population"]] = row
    order = [*source.plan.baseline_table, *(o.id for o in source.plan.outcomes), "cost"]
    place = {name: at for at, name in enumerate(order)}
    keys = sorted(found, key=lambda key: place[key[0]])
    return [
        Compared(
            source.outcome(name), source.category(name, code) if code else "", found[name, code]
        )
        for name, code in keys
    ]


def weighted_by(source: Source) -> list[str]:
    """Return the models that weigh people, of which there are weights."""
    rows = source.rows(analysis="balance", term=Term.MEAN_DIFFERENCE)
    there = {row["model"] for row in rows if row["status"] == Status.OK}
    return [model for model in WEIGHTED if model in there]


def alike(source: Source) -> Table[Compared]:
    """Set differences of people, of cluster means and of those seen again side by side."""

    def difference(**which: str) -> Callable[[Compared], str | None]:
        return lambda record: estimate(record.of(**which), 2)

    clusters = source.study.clusters
    of_clusters = (
        [
            Column[Compared](
                f"{capitalised(clusters.unit_label)} means ({level_of(source)} CI)",
                lambda record: with_interval(record.of(Term.CLUSTER_DIFFERENCE), 2),
                24,
            )
        ]
        if clusters
        else []
    )
    filled = ", averaged over the imputations" if source.imputes else ""
    return Table(
        f"How alike the arms were at baseline: standardised differences ({contrast(source)})",
        [
            Column("Characteristic", attrgetter("name")),
            Column("Category", attrgetter("category"), 38, "l"),
            Column("People", difference(), 10),
            *(Column(CALLED[Model(m)], difference(model=m), 12) for m in weighted_by(source)),
            *of_clusters,
            Column("Variance ratio", difference(term=Term.VARIANCE_RATIO), 12),
            Column("Seen again", difference(population=Population.COMPLETE_CASES), 10),
        ],
        compared(source),
        grouped=True,
        stub="Characteristic",
        notes=[
            "Mean of one arm less that of the other, in standard deviations of people (the root of "
            f"the mean of both arms' variances, without weights){filled}; "
            "of a category the difference of its shares. There are no p-values: what matters is "
            "how far apart these arms are, not whether chance could have done it.",
            *(
                [
                    f"{capitalised(clusters.unit_label)} means: mean difference within "
                    f"{clusters.pair_label}s, on the same scale, by a paired t."
                ]
                if clusters
                else []
            ),
            f"Variance ratio: of {source.arms[1][1]} to {source.arms[0][1]}, without weights. "
            "Seen again: those with the "
            f"primary outcome ({primary_names(source)}) at follow-up, so that loss shows.",
            *_refusals(source),
        ],
    )


def _refusals(source: Source) -> list[str]:
    rows = source.rows(analysis="balance", outcome="", status=Status.REFUSED)
    return [f"{LABELS[row['model']]}: no weights, {row['note']}." for row in rows]


AROUND = 0.85  # inches that axis and key take


def _drawable(source: Source) -> list[Compared]:
    return [r for r in compared(source) if known((r.of() or {}).get("estimate"))]


def draw_alike(source: Source) -> Figure:
    """Draw standardised differences before and after weighting, and of cluster means."""
    below, records = 0.75, _drawable(source)[: within(LINE, AROUND)]
    height = LINE * len(records) + AROUND
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.4, below / height, 0.57, LINE * len(records) / height))
    axes.axvspan(-NEAR, NEAR, color=RULE, alpha=0.35, linewidth=0)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    y = -np.arange(len(records), dtype=float)
    for at, record in zip(y, records, strict=True):
        row = record.of(Term.CLUSTER_DIFFERENCE)
        if row and known(row["conf_low"]):
            axes.hlines(at, row["conf_low"], row["conf_high"], color=RULE, linewidth=2.4)
    styles = {
        Model.NONE: ("o", "white", INK, "without weights"),
        Model.OVERLAP: ("D", ACTIVE, ACTIVE, "overlap weights"),
        Model.ENTROPY: ("x", REFERENCE, REFERENCE, "entropy balancing"),
    }
    for model in (Model.NONE, *weighted_by(source)):
        marker, face, edge, label = styles[Model(model)]
        x = [row["estimate"] if (row := r.of(model=model)) else np.nan for r in records]
        axes.plot(
            x, y, marker, markersize=4.2, markerfacecolor=face, markeredgecolor=edge, label=label
        )
    labels = [f"{r.name}: {r.category}" if r.category else r.name for r in records]
    axes.set_yticks(y, [label.partition(" (")[0] for label in labels], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(y[-1] - 0.6, 0.6)
    axes.set_xlabel(f"Standardised difference ({contrast(source)})")
    figure.legend(loc="lower right", ncols=3, frameon=False, fontsize=7)
    return figure


def _alike_legend(source: Source) -> tuple[str, str]:
    clusters = source.study.clusters
    bars = (
        f" Bars: {level_of(source)} intervals of {clusters.unit_label} means within "
        f"{clusters.pair_label}s, without weights."
        if clusters
        else ""
    )
    every = len(_drawable(source))
    shown = min(every, within(LINE, AROUND))
    some = f" Drawn are the first {shown} of {every}." if shown < every else ""
    return (
        "Standardised differences between the arms at baseline, before and after weighting; within "
        f"{NEAR:g} shaded.{bars}{some}",
        "Dot plot with a line for each characteristic; the table of balance has the numbers.",
    )


def draw_overlap(source: Source) -> Figure:
    """Draw the propensities of both arms, one upwards and one downwards."""
    points = _propensities(source)
    figure = Figure(figsize=(WIDTH, 2.6))
    axes = figure.add_axes((0.09, 0.2, 0.88, 0.72))
    edges = np.linspace(0.0, 1.0, BINS + 1)
    for (arm, label), sign, colour in zip(source.arms, (-1, 1), (REFERENCE, ACTIVE), strict=True):
        count, _ = np.histogram(points.loc[points["series"] == arm, "x"], edges)
        axes.bar(
            edges[:-1],
            sign * count,
            1 / BINS,
            align="edge",
            color=colour,
            edgecolor="white",
            label=label,
        )
    most = max(abs(limit) for limit in axes.get_ylim())
    axes.set_ylim(-most, most)
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"Propensity of {source.arm(source.study.arms.active)}")
    axes.set_ylabel("Participants")
    axes.legend(frameon=False, loc="upper right", fontsize=7)
    return figure


def _propensities(source: Source) -> pd.DataFrame:
    points = source.balance
    return points if points.empty else points[points["figure"] == "propensity"]


def _overlap_legend(source: Source) -> tuple[str, str]:
    return (
        "Propensity of each participant, averaged over the imputations, given what is balanced: "
        f"{source.arms[1][1]} upwards, {source.arms[0][1]} downwards.",
        "Mirrored histograms; where both have people the arms overlap.",
    )


def weights(source: Source) -> Table[Row]:
    """Set out how many people the weights leave of each arm and cluster."""
    by_model = {a.model: a.id for a in source.plan.analyses if a.model in WEIGHTED}
    outcome = source.primary[0].id if source.primary else source.plan.outcomes[0].id

    def cell(model: str, term: str, places: int) -> Callable[[Row], str | None]:
        def shown(record: Row) -> str | None:
            rows = source.rows(
                analysis=by_model[model], outcome=outcome, term=term, level=record["level"]
            )
            if not rows:
                return None
            value = rows[0]["estimate"] * (100 if term == Term.LARGEST else 1)
            return f"{number(value, places)}{'%' if term == Term.LARGEST else ''}"

        return shown

    first = next(iter(by_model.values()), "")
    records = source.rows(analysis=first, outcome=outcome, term=Term.EFFECTIVE)
    arms = dict(source.arms)

    def label(row: Row) -> str:
        if row["level"] in arms:
            return arms[row["level"]]
        return source.category(source.clusters.unit, row["level"])

    return Table(
        f"What the weights leave of each arm, {primary_names(source)}",
        [
            Column("Arm or cluster", label, 30, "l"),
            *(
                column
                for model in by_model
                for column in (
                    Column[Row](
                        f"{CALLED[Model(model)]}: effective sample size",
                        cell(model, Term.EFFECTIVE, 1),
                        18,
                    ),
                    Column[Row](
                        f"{CALLED[Model(model)]}: largest weight",
                        cell(model, Term.LARGEST, 1),
                        15,
                    ),
                )
            ),
        ],
        sorted(records, key=lambda row: row["level"] not in arms),
        notes=[
            "Effective sample size: the square of the sum of the weights over the sum of their "
            "squares (Kish 1965), averaged over the imputations. Largest weight: share of the "
            "weight of an arm that one person has."
        ],
    )


def worth_saying(source: Source) -> list[str]:
    """Return what the text says of balance: how far apart the arms were, and what weights leave."""
    records = [r for r in compared(source) if known((r.of() or {}).get("estimate"))]
    if not records:
        return []

    def far(model: str) -> list[Compared]:
        there = [r for r in records if known((r.of(model=model) or {}).get("estimate"))]
        return [r for r in there if abs((r.of(model=model) or {})["estimate"]) > NEAR]

    def many(found: list[Compared], model: str = Model.NONE) -> int:
        return how_many((r.of(model=model) or {})["estimate"] for r in found)

    def size(record: Compared) -> float:
        return -abs((record.of() or {})["estimate"])

    apart = sorted(far(Model.NONE), key=size)
    said = [
        f"Of {many(records)} characteristics and categories {many(apart)} differed by more than "
        f"{NEAR:g} standard deviations between the arms"
        + (f", most of all {listed([_named(r) for r in apart[:3]])}." if apart else ".")
    ]
    asked = source.plan.confounding
    if asked and weighted_by(source):
        first = f"_{source.study.baseline.id}"
        names = listed([inside(source.name(n.removesuffix(first))) for n in asked.covariates])
        left = far(weighted_by(source)[0])
        said.append(
            f"Weights balance the baseline means of {names} exactly{_pairs(source)}. "
            "What they do not balance may move away: "
            f"{many(left, weighted_by(source)[0])} differ by more than {NEAR:g} after "
            f"weighting ({inside(CALLED[Model(weighted_by(source)[0])])})."
        )
    return said


def _pairs(source: Source) -> str:
    clusters = source.study.clusters
    return f", each {clusters.pair_label} alike in both arms" if clusters else ""


def _named(record: Compared) -> str:
    label = record.name.partition(" (")[0]
    label = f"{label}: {record.category}" if record.category else label
    return f"{label} ({number((record.of() or {})['estimate'], 2)})"


def _there(source: Source) -> bool:
    return bool(compared(source))


def _details(of: Configured) -> Iterator[Item]:
    yield TableItem("alike", alike)
    if not of.study.randomised:
        yield FigureItem("alike", draw_alike, _alike_legend, _there)


def _weights(of: Configured) -> Iterator[Item]:
    if of.plan.confounding:
        yield FigureItem(
            "overlap", draw_overlap, _overlap_legend, lambda s: len(_propensities(s)) > 0
        )
        if any(analysis.model in WEIGHTED for analysis in of.plan.analyses):
            yield TableItem("weights", weights)


SECTION = Section("alike", said=lambda source: {"alike": worth_saying(source)})
DETAILS = Section("alike_details", _details, title="How alike were the arms")
WEIGHTS = Section("weights", _weights, there=lambda of: of.plan.confounding is not None)
