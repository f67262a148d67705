"""Finding the rows of the economic evaluation, and its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ccp_analysis.config.economics import Economics, is_placeholder
from ccp_analysis.report.source import Row, Source
from ccp_analysis.report.words import known, listed, number
from ccp_analysis.results.terms import Model, Population, Status, Term

ECONOMICS = "economics"  # the analysis; its variations are economics_{id}
COST, QALY, NET_BENEFIT, BOTH = "cost", "qaly", "net_benefit", "cost and qaly"
MODEL = {COST: Model.ANCOVA, QALY: Model.ANCOVA, NET_BENEFIT: Model.NET_BENEFIT}
FEW_PAIRS = 10  # below which a bootstrap of pairs says too little of how results would vary
QUADRANTS = (
    "more costly, more effective",
    "more costly, less effective",
    "less costly, more effective",
    "less costly, less effective",
)
# In the other two one arm is better and cheaper, so that a ratio would say nothing.
WITH_A_RATIO = (QUADRANTS[0], QUADRANTS[3])
MAIN = "Main evaluation"


@dataclass(frozen=True)
class Varied:
    """One evaluation, the main one or a variation of it.

    Attributes
    ----------
    label : str
        What differs.
    analysis : str
        Of its rows.
    cost, qaly, benefit, probability : dict or None
        The differences, the net benefit at the main threshold, and how probable it is that this is
        above zero.
    """

    label: str
    analysis: str
    cost: Row | None
    qaly: Row | None
    benefit: Row | None
    probability: Row | None

    @property
    def failed(self) -> bool:
        """Whether it has rows, but no net benefit: of one that failed there is its cost only."""
        tried = self.cost is not None or self.benefit is not None
        return tried and not (self.benefit and known(self.benefit["estimate"]))


def row_of(
    source: Source,
    outcome: str,
    term: str = Term.DIFFERENCE,
    analysis: str = ECONOMICS,
    **where: object,
) -> Row | None:
    """Return the row of the main model of an outcome, of imputed data where there is one.

    Parameters
    ----------
    source : Source
        The results.
    outcome : str
        ``cost``, ``qaly`` or ``net_benefit``.
    term, analysis : str
        A difference of the main evaluation by default.
    **where
        Values of other columns.

    Returns
    -------
    dict or None
        None where there is no such row.
    """
    shared = {"model": MODEL[outcome], **where}
    rows = source.rows(analysis=analysis, outcome=outcome, term=term, **shared)
    return preferred(rows)


def perfect(source: Source, threshold: float | None, term: str = Term.EVPI) -> Row | None:
    """Return what perfect information is worth at a threshold, by the main inference."""
    benefit = row_of(source, NET_BENEFIT, threshold=threshold) if known(threshold) else None
    if benefit is None:
        return None
    same = {"threshold": threshold, "inference": benefit["inference"]}
    return row_of(source, NET_BENEFIT, term, **same)


def by_draws(source: Source, threshold: float) -> Row | None:
    """Return what perfect information is worth per person at a threshold, by the bootstrap."""
    model = Model.TWO_STAGE_BOOTSTRAP
    row = source.one(analysis=ECONOMICS, term=Term.EVPI, model=model, threshold=threshold)
    return row if row and known(row["estimate"]) else None


def preferred(rows: list[Row]) -> Row | None:
    """Return the first row of imputed data, the first of all where there is none."""
    return next(
        (row for row in rows if row["population"] == Population.COMPLETED),
        rows[0] if rows else None,
    )


def main_threshold(economics: Economics) -> float:
    """Return the threshold of the main evaluation."""
    return economics.main_thresholds[0]


def evaluation(source: Source, analysis: str = ECONOMICS, label: str = "") -> Varied:
    """Return the main evaluation, or a variation of it."""
    at = main_threshold(source.evaluation)
    return Varied(
        label=label,
        analysis=analysis,
        cost=row_of(source, COST, analysis=analysis),
        qaly=row_of(source, QALY, analysis=analysis),
        benefit=row_of(source, NET_BENEFIT, analysis=analysis, threshold=at),
        probability=row_of(source, NET_BENEFIT, Term.COST_EFFECTIVE, analysis, threshold=at),
    )


def variations(source: Source) -> list[Varied]:
    """Return the variations that the configuration declares, in its order."""
    return [
        evaluation(source, f"{ECONOMICS}_{variation.id}", variation.label)
        for variation in source.evaluation.sensitivity
    ]


def left_out(source: Source) -> list[Varied]:
    """Return the main evaluation without each pair of clusters, and without single people."""
    at, found = main_threshold(source.evaluation), []
    for term in (Term.WITHOUT_PAIR, Term.WITHOUT_PERSON):
        rows = source.rows(analysis=ECONOMICS, term=term)
        for level in sorted({row["level"] for row in rows}, reverse=term == Term.WITHOUT_PERSON):
            cost, qaly = (row_of(source, name, term, level=level) for name in (COST, QALY))
            benefit = row_of(source, NET_BENEFIT, term, level=level, threshold=at)
            person = f"Without one person, the {level} of each"
            label = f"Without {source.pair(level)}" if term == Term.WITHOUT_PAIR else person
            found.append(Varied(label, ECONOMICS, cost, qaly, benefit, None))
    return found


def shares(source: Source) -> dict[str, float]:
    """Return what share of the bootstrap draws lies in each quadrant."""
    rows = source.rows(
        analysis=ECONOMICS, model=Model.TWO_STAGE_BOOTSTRAP, term=Term.QUADRANT_SHARE
    )
    at = {row["level"]: row["estimate"] for row in rows if known(row["estimate"])}
    return {quadrant: at[quadrant] for quadrant in QUADRANTS if quadrant in at}


def ratio_rows(source: Source) -> list[Row]:
    """Return the rows of cost-effectiveness ratios of the main evaluation, that per QALY first."""
    rows = source.rows(analysis=ECONOMICS, term=Term.ICER)
    return sorted(rows, key=lambda row: row["outcome"] != "cost per qaly")


def has_a_ratio(row: Row) -> bool:
    """Return whether a ratio means anything: where the costlier arm is the more effective one."""
    return row["level"] in WITH_A_RATIO and known(row["estimate"])


def horizon(source: Source) -> str:
    """Return the visit at the horizon of the evaluation."""
    months = {visit.months: visit.id for visit in source.study.visits}
    return months.get(source.evaluation.months, source.study.visits[-1].id)


def adds_up_visits(source: Source) -> bool:
    """Return whether the cost at the horizon is that of more than one follow-up."""
    return sum(v.months <= source.evaluation.months for v in source.study.follow_ups) > 1


def perspective(source: Source) -> str:
    """Return the label of the main perspective."""
    return source.evaluation.perspectives[source.evaluation.main].label


def pounds(source: Source, value: float, places: int = 0) -> str:
    """Write an amount with the sign of the currency, as in ``−£1,234``."""
    return number(value, places, source.evaluation.money.prefix) or ""


def roughly(source: Source, value: float) -> str:
    """Write an amount that has no interval, to two figures, as in ``about £210,000``."""
    places = -max(0, len(f"{abs(float(value)):.0f}") - 2)
    return f"about {pounds(source, value, places)}"


def per_qaly(source: Source, threshold: float) -> str:
    """Write a threshold, as in ``£20,000 per QALY``."""
    return f"{pounds(source, threshold)} per QALY"


def money_places(row: Row | None) -> int:
    """Return how many decimals suit an amount: none, or pence where the error is below a pound."""
    return 2 if row and known(row["std_error"]) and 0 < row["std_error"] < 1 else 0


def placeholders(source: Source) -> list[str]:
    """Return what of prices, index and intervention has a placeholder as its source.

    Parameters
    ----------
    source : Source
        With prices and items of the intervention, where there are any.

    Returns
    -------
    list of str
        ``the unit costs of services``, where all are, or of those named; ``the price index``; ``the
        cost of the intervention``, or items of it.
    """
    services = {service_label(source, r): r["source"] for r in source.prices.to_dict("records")}
    items = {record["item"]: record["source"] for record in source.intervention.to_dict("records")}
    index = {r.get("index_source", "") for r in source.prices.to_dict("records")}

    def marked(sources: dict[str, str], whole: str, of: str) -> list[str]:
        found = [name for name, where in sources.items() if is_placeholder(where)]
        if len(found) == len(sources):
            return [whole] * bool(found)
        return [f"{of} {listed(found)}"] * bool(found)

    return [
        *marked(services, "the unit costs of services", "the unit costs of"),
        *["the price index"] * any(map(is_placeholder, index)),
        *marked(items, "the cost of the intervention", "the unit costs of the intervention's"),
    ]


def service_label(source: Source, record: dict[str, Any]) -> str:
    """Return the label of a service that is in the prices, without what it shares with most."""
    label = _whole_label(source, record["service"], record["label"])
    shared = shared_ending(source)
    return label.removesuffix(f", {shared}") if shared else label


def shared_ending(source: Source) -> str:
    """Return what the labels of most services have behind their last comma, as the period."""
    if source.prices.empty:
        return ""
    priced = dict(zip(source.prices["service"], source.prices["label"], strict=True))
    labels = [_whole_label(source, service, label) for service, label in priced.items()]
    endings = [label.rpartition(", ")[2] for label in labels if ", " in label]
    common = max(dict.fromkeys(endings), key=endings.count, default="")
    return common if 2 * endings.count(common) > len(labels) else ""


def _whole_label(source: Source, service: str, label: str) -> str:
    found = source.outcome(service)
    return label if found == service else found


def used(source: Source) -> set[str]:
    """Return by which models and inferences the evaluation has results."""
    rows = [row for row in source.rows(analysis=ECONOMICS) if row["status"] == Status.OK]
    return {row[column] for row in rows for column in ("model", "inference")}
