"""What several sections say alike: estimates with intervals, methods, analyses of an outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from ccp_analysis.config.currencies import PREFIXES
from ccp_analysis.config.models import LABELS
from ccp_analysis.config.plan import Outcome
from ccp_analysis.report.marks import plain
from ccp_analysis.report.source import Row, Source, among
from ccp_analysis.report.table import Column
from ccp_analysis.report.words import (
    capitalised,
    decimals,
    degrees,
    interval,
    known,
    number,
    p_value,
    percent,
)
from ccp_analysis.results.terms import Inference, Model, Pooling, Population, Role, Status, Term

DATA: dict[str, str] = {
    Population.COMPLETED: "imputed",
    Population.COMPLETE_CASES: "complete cases",
    Population.OBSERVED_VISITS: "observed visits",
}
INFERENCE: dict[str, str] = {
    Inference.CR2: "CR2, Satterthwaite",
    Inference.KENWARD_ROGER: "Kenward\N{EN DASH}Roger",
    Inference.PAIRED_T: "paired t",
    Inference.SIGN_FLIP: "exact sign-flip",
    Inference.RANDOM_SIGN_FLIP: "random sign-flip",
    Inference.T: "classical t",
    Inference.HC2: "HC2, Bell\N{EN DASH}McCaffrey",
    Inference.HC3: "HC3",
    Inference.MODEL: "model-based",
    Inference.F: "F test",
    Inference.D1: "pooled F (D1)",
    Inference.AHT_F: "CR2, approximate Hotelling",
    Inference.FIELLER: "Fieller",
    Inference.BOOTSTRAP: "percentiles",
}
# What follows the name of an inference: by which rule imputations were pooled.
POOLED = {
    Pooling.BARNARD_RUBIN: "Rubin's rules",
    Pooling.AVERAGED: "averaged",
    Pooling.COMPLETE_DATA: "complete-data df",
    Pooling.SATTERTHWAITE: "df of the total variance",
}
ADJUSTMENTS = {
    "holm": "Holm's method",
    "hochberg": "Hochberg's method",
    "benjamini-hochberg": "Benjamini and Hochberg's method (false discovery rate)",
}
ALL = "all"
NOT_ESTIMATED = "not estimated"
# With fewer clusters the usual robust standard errors are too small: reviews have 20 to 50
# (Cameron and Miller 2015, J Hum Resour 50:317-372, section VI).
FEW_CLUSTERS = 50
ON_A_PAGE = 6  # outcomes whose checks are drawn below one another


class Counted(NamedTuple):
    """Participants that are counted: at which stage or in which set, which of them, how many."""

    group: str
    label: str
    numbers: dict[str, Any]


def method(row: Row) -> str:
    """Return the name of a row's model and data, as in ``ANCOVA, imputed``."""
    model, data = _in_words(LABELS, row["model"]), _in_words(DATA, row["population"])
    return f"{model}, {data}" if data else model


def inference_of(row: Row) -> str:
    """Return the name of a row's inference, with the rule by which imputations were pooled."""
    name = _in_words(INFERENCE, row["inference"])
    rule = POOLED.get(row["pooling"])
    return f"{name.partition(',')[0]}, {rule}" if rule else name


def _in_words(words: dict[str, str], term: str) -> str:
    return words.get(term, term)


def level_of(source: Source) -> str:
    """Return the confidence level as in ``95%``."""
    return f"{source.plan.confidence_level * 100:g}%"


def few_clusters(n: float | None) -> bool:
    """Return whether there are so few clusters that it is to be said."""
    return n is not None and n < FEW_CLUSTERS


def contrast(source: Source) -> str:
    """Return how differences are taken, in words."""
    arms = source.study.arms
    return f"{source.arm(arms.active)} minus {source.arm(arms.reference)}"


def primary_differences(source: Source) -> list[Row]:
    """Return the differences of every outcome by the primary analyses, in the plan's order."""
    return [row for outcome in source.plan.outcomes for row in source.primary_rows(outcome.id)]


def beside(source: Source, row: Row, term: str, **where: object) -> list[Row]:
    """Return the rows of another term that were read off the same difference."""
    keys = ("analysis", "outcome", "visit", "population", "model", "inference", "subgroup")
    return source.rows(**{key: row[key] for key in keys}, term=term, **where)


def mcid_sentence(source: Source, row: Row) -> str:
    """Say which differences that matter the interval excludes and which not; empty if unknown."""
    arms = source.study.arms.ordered[::-1]
    found = {r["level"]: r["note"] for r in beside(source, row, Term.BEYOND_MCID)}
    notes = [found[arm] for arm in arms if arm in found]
    said = [note.rpartition(" in favour of ")[0] for note in notes]
    if len(said) == len(arms) and said[0] and len(set(map(plain, said))) == 1:
        notes = [f"{said[0]} in favour of either arm"]
    return f"{'; '.join(notes)}." if notes else ""


def difference_columns(
    source: Source, places: Callable[[Row], int], widths: tuple[int, int, int, int]
) -> list[Column[Row]]:
    """Return the columns of a difference: with interval, degrees of freedom, p, participants."""
    level = source.plan.confidence_level
    head = f"Difference ({level_of(source)} CI)"
    first = Column[Row](head, lambda row: estimated(row, places(row), level), widths[0])
    return [first, df_column(widths[1]), p_column(widths[2]), n_column(widths[3])]


def estimate(row: Row | None, places: int = 0) -> str | None:
    """Write the estimate of a row, if there is the row."""
    return number(row["estimate"], places) if row else None


def with_interval(row: Row | None, places: int, level: float | None = None) -> str | None:
    """Write an estimate with its interval, and with the level of this if it is another one."""
    shown = estimate(row, places)
    if row is None or not has_interval(row):
        return shown
    own = row["conf_level"]
    other = known(own) and level is not None and abs(own - level) > 1e-9
    limits = interval(row["conf_low"], row["conf_high"], places)
    return f"{shown} ({limits}{f'; {100 * own:g}%' if other else ''})"


def estimated(row: Row, places: int, level: float | None = None) -> str:
    """Write an estimate as `with_interval` does, or that there is none."""
    return with_interval(row, places, level) or NOT_ESTIMATED


def participants(row: Row) -> float | None:
    """Return how many participants a row rests on; of repeated measures they are the clusters."""
    return row["n_clusters"] if row["model"] == Model.REPEATED else row["n"]


def places_of(row: Row | None) -> int:
    """Return how many decimals suit a row's standard error."""
    return decimals(row["std_error"] if row else None)


def primary_places(source: Source, outcome: str) -> int:
    """Return how many decimals suit an outcome, whatever the analysis: those of the primary one."""
    return places_of(source.primary_row(outcome))


def outcome_column(source: Source, width: int = 0) -> Column[Row]:
    """Return the column that says of which outcome a row is."""
    return Column("Outcome", lambda row: source.outcome(row["outcome"]), width, "l")


# Columns of rows of the results, made with a width.
df_column = partial(Column[Row], "df", lambda row: degrees(row["df"]))
p_column = partial(Column[Row], "p", lambda row: p_value(row["p_value"]))
n_column = partial(Column[Row], "n", lambda row: number(participants(row)))


def by_arm(source: Source, *parts: tuple[Any, ...]) -> list[Column[Any]]:
    """Return columns for each arm.

    Parameters
    ----------
    source : Source
        Its arms.
    *parts : tuple
        What stands below an arm's label, or above those of both where it is all there is; what
        stands in a cell, called with the arm and the record; the width, or that of either arm.
    """
    columns: list[Column[Any]] = []
    for place, (arm, label) in enumerate(source.arms):
        for what, cell, *widths in parts:
            head, group = (what, label) if len(parts) > 1 else (label, capitalised(what))
            width = widths[place % len(widths)]
            columns.append(Column(head, partial(cell, arm), width, group=group))
    return columns


def count_columns(source: Source, head: str) -> list[Column[Counted]]:
    """Return the columns of a table that counts participants by arm."""
    return [
        Column(head, attrgetter("group")),
        Column("Participants", attrgetter("label"), 48, "l"),
        *by_arm(source, ("", lambda arm, counted: number(counted.numbers["by_arm"][arm]), 20)),
        Column("All", lambda counted: number(counted.numbers["n"]), 12),
    ]


def adjusted_mean(source: Source, row: Row, arm: str) -> Row | None:
    """Return the adjusted mean of an arm that belongs to a difference."""
    keys = ("analysis", "outcome", "visit", "population", "model")
    return source.one(**{key: row[key] for key in keys}, term=Term.ADJUSTED_MEAN, level=arm)


def by_method(source: Source, outcome: str) -> list[Row]:
    """Return the differences of an outcome by all analyses, in the plan's order.

    A model with a difference at every follow-up has that of the primary analysis's visit here, and
    where it has none there, that of the visit that stands for it.
    """
    visits = {row["visit"] for row in source.primary_rows(outcome)}
    rows: list[Row] = []
    for analysis in source.plan.analyses:
        every = source.rows(
            analysis=analysis.id, outcome=outcome, term=Term.DIFFERENCE, subgroup=""
        )
        same = [row for row in every if row["visit"] in visits]
        found = same or source.headlines(analysis, outcome)
        rows += sorted(found, key=lambda row: row["df"] is None)
    return rows


def named(source: Source, row: Row) -> str:
    """Return the name of a row's model and data, and its visit if not that of the primary row."""
    first = source.primary_row(row["outcome"])
    other = row["visit"] and first is not None and row["visit"] != first["visit"]
    return f"{method(row)}, {source.visit(row['visit'])}" if other else method(row)


def notes_of(found: Iterable[tuple[str, str]]) -> list[str]:
    """Return one sentence for each remark, after all to which it applies."""
    by_text: dict[str, dict[str, None]] = {}
    for label, text in found:
        by_text.setdefault(text, {})[label] = None
    return [f"{'; '.join(labels)}: {text}." for text, labels in by_text.items()]


def by_term(rows: list[Row], group: str) -> dict[str, Row]:
    """Return those of the rows that are of an arm, or of all, by their terms."""
    return {row["term"]: row for row in rows if row["level"] == group}


def mean_sd(
    terms: dict[str, Row], places: int, mean: str = Term.MEAN, sd: str = Term.SD
) -> str | None:
    """Write ``mean (SD)`` of the rows of one group, by their terms."""
    shown, spread = (estimate(terms.get(term), places) for term in (mean, sd))
    return f"{shown} ({spread})" if shown and spread else shown


def has_interval(row: Row) -> bool:
    """Return whether a row can be drawn."""
    return known(row["estimate"]) and known(row["conf_low"]) and known(row["conf_high"])


def check_rows(source: Source, analysis: str, outcome: str) -> list[Row]:
    """Return the rows of the checks of one analysis and outcome."""
    return source.rows(analysis=f"checks_{analysis}", outcome=outcome)


def fragile_pairs(rows: list[Row]) -> list[Row]:
    """Return the rows that say that a conclusion, or the estimate, hangs on one pair."""
    terms = (Term.WITHOUT_PAIR, Term.CHANGE_WITHOUT_PAIR)
    return [row for row in rows if row["term"] in terms and row["status"] == Status.FLAGGED]


def model_name(source: Source, analysis: str) -> str:
    """Return the name of the model of an analysis that is checked."""
    return _in_words(LABELS, source.plan.analysis(analysis).model)


def with_p(row: Row) -> str:
    """Write a p-value as in ``p = 0.57``, on one line."""
    shown = p_value(row["p_value"]) or ""
    sign = plain(shown)[:1]
    said = shown.replace(sign, f"{sign} ") if sign in ("<", ">") else f"= {shown}"
    return f"p {said}".replace(" ", "\N{NO-BREAK SPACE}")


def multiplicity(source: Source) -> bool:
    """Return whether any p-value is adjusted for the number of outcomes."""
    return any(known(row["p_adjusted"]) for row in source.results)


def quantity(value: float, places: int, scale: str) -> str:
    """Write a number with the unit of its scale, as in ``1.5 points`` or ``£250``."""
    text = number(value, places, PREFIXES.get(scale, "")) or ""
    return f"{text} points" if scale == "points" else text


def limits(row: Row, places: int) -> str:
    """Write the limits of a row; empty where it has none."""
    return interval(row["conf_low"], row["conf_high"], places) or ""


YES = "1"  # category of those who have what is 0 or 1


def number_percent(rows: list[Row], code: str, group: str) -> str | None:
    """Write how many of a group are in a category, and the percentage."""
    own = by_term(among(rows, subgroup=code), group)
    n, share = estimate(own.get(Term.NUMBER)), own.get(Term.PROPORTION)
    shown = percent(share["estimate"]) if share else None
    return f"{n} ({shown})" if n is not None and shown is not None else n


def others(source: Source, page: int) -> list[Outcome]:
    """Return the outcomes, other than the primary ones, of a page of the appendix (from 1)."""
    rest = [outcome for outcome in source.plan.outcomes if outcome.role != Role.PRIMARY]
    return rest[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]


def primary_names(source: Source) -> str:
    """Return the labels of the primary outcomes."""
    return ", ".join(source.name(outcome.id) for outcome in source.primary)


def of_whom(row: Row) -> str:
    """Say on which data and how many people a row rests."""
    parts = [_in_words(DATA, row["population"])]
    parts += [f"{number(row['n'])} participants"] * (row["n"] is not None)
    return ", ".join(filter(None, parts))
