"""What perfect information on the net benefit would be worth, at every threshold."""

from __future__ import annotations

import numpy as np

from ccp_analysis.analyses.rows import Rows, contrast_label
from ccp_analysis.config.economics import Information
from ccp_analysis.economics.bootstrap import Draws
from ccp_analysis.economics.compared import Compared
from ccp_analysis.economics.net_benefit import NET_BENEFIT
from ccp_analysis.models.information import of_population, perfect_information
from ccp_analysis.results.terms import Inference, Model, Status, Term

PER_PERSON = (
    "for each person about whom the choice is made; what is known of the net benefit is taken to "
    "be {shape} about the estimate"
)
NO_MEAN = "one degree of freedom or fewer: what is known of the net benefit has no expectation"


def information_rows(found: Rows, asked: Information | None) -> Rows:
    """Return the expected value of perfect information for each row of net benefit.

    Parameters
    ----------
    found : list of dict
        Rows of the evaluation.
    asked : Information or None
        Whom a decision concerns.

    Returns
    -------
    list of dict
        Per person by the t distribution of the pooled row and by the normal one, and of the
        population by t. Rows that failed have none.
    """
    rows: Rows = []
    for row in found:
        estimated = row.get("std_error") is not None and np.isfinite(row["std_error"])
        if (row.get("outcome"), row["term"]) != (NET_BENEFIT, Term.DIFFERENCE) or not estimated:
            continue
        kept = ("outcome", "population", "model", "threshold", "level", "n", "n_clusters", "m")
        head = {"scale": "pounds", "term": Term.EVPI, **{name: row.get(name) for name in kept}}
        shapes = {row["inference"]: (row["df"], "t distributed")}
        if row["df"] is None:
            shapes = {row["inference"]: (None, "normal")}
        else:
            shapes[Inference.NORMAL] = (None, "normal, as with many clusters")
        for inference, (df, shape) in shapes.items():
            nu = np.inf if df is None else df
            value = float(perfect_information(row["estimate"], row["std_error"], nu))
            one = {**head, "inference": inference, "df": df}
            if not np.isfinite(value):
                rows.append({**one, "status": Status.REFUSED, "note": NO_MEAN})
                continue
            rows.append({**one, "estimate": value, "note": PER_PERSON.format(shape=shape)})
            if asked and inference == row["inference"]:
                whom = of_population(asked.people, asked.years, asked.discount)
                note = (
                    f"{asked.people:,} people a year for {asked.years} years, discounted at "
                    f"{100 * asked.discount:g}% a year ({asked.source})"
                )
                of_all = {"term": Term.EVPI_OF_POPULATION, "estimate": whom * value, "note": note}
                rows.append({**one, **of_all})
    return rows


def drawn_information_rows(data: Compared, draws: Draws, thresholds: list[float]) -> Rows:
    """Return the same of the bootstrap's draws: the mean of gains, less the gain of the mean."""
    rows: Rows = []
    for threshold in thresholds:
        gains = threshold * draws.effect - draws.cost
        value = np.maximum(gains, 0.0).mean() - max(gains.mean(), 0.0)
        row = {"term": Term.EVPI, "threshold": threshold, "level": contrast_label(data.study)}
        row |= {"estimate": float(value), "m": None, "note": PER_PERSON.format(shape="as drawn")}
        ask = data.ask(NET_BENEFIT, "pounds")
        rows += data.complete([row], ask, Model.TWO_STAGE_BOOTSTRAP, Inference.BOOTSTRAP)
    return rows
