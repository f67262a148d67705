"""Sentences on what a difference could be, on the allocation and on the checks of the models."""

from __future__ import annotations

from ccp_analysis.report.format import capitalised, decimals, known, listed, number
from ccp_analysis.report.lookup import REAL, Source, method
from ccp_analysis.report.sentences import quantity
from ccp_analysis.report.tables_checks import check_rows, fragile_pairs
from ccp_analysis.report.tables_design import DATA, SIDE_BY_SIDE, lord_row, side_by_side
from ccp_analysis.report.tables_outcomes import beside, mcid_sentence, primary_differences
from ccp_analysis.results.terms import Inference, Status, Term


def could_be(source: Source) -> list[str]:
    """Return the paragraphs on what a difference could be.

    Parameters
    ----------
    source : Source
        The primary analysis, and the planned numbers.

    Returns
    -------
    list of str
        What could have been found, what the intervals exclude, planned against achieved; each only
        where its rows are.
    """
    return [text for text in (_detectable(source), *_mcid(source), _planned(source)) if text]


def _detectable(source: Source) -> str:
    parts = []
    for outcome in source.primary:
        row = source.primary_row(outcome.id)
        found = beside(source, row, Term.DETECTABLE) if row else []
        if found:
            places = decimals(row["std_error"])
            limit = quantity(found[0]["estimate"], places, found[0]["scale"])
            parts.append(f"{limit} for {source.name(outcome.id)}, {found[0]['note']}")
    if not parts:
        return ""
    return (
        "The smallest true difference that a study like this one would find is "
        f"{'; '.join(parts)}. It says how sensitive the design is, and nothing about the "
        "difference that there was: that is what the interval is for."
    )


def _mcid(source: Source) -> list[str]:
    said, unknown = [], []
    for row in primary_differences(source):
        sentence = mcid_sentence(source, row)
        name = source.name(row["outcome"])
        if sentence:
            said.append(f"{name}: {sentence}")
        elif known(row["estimate"]):
            unknown.append(name)
    paragraphs = [capitalised(" ".join(said))] if said else []
    names = listed(list(dict.fromkeys(unknown)))
    if unknown:
        paragraphs.append(
            f"No minimal clinically important difference is declared for {names}: what their "
            "intervals mean for people is not said here."
        )
    return paragraphs


def _planned(source: Source) -> str:
    terms = {
        (row["term"], row["level"]): row
        for row in source.rows(analysis="sample_size")
        if row["inference"] in (Inference.NONE, Inference.NORMAL)
    }
    planned, achieved = (terms.get((Term.AT_FOLLOW_UP, level)) for level in ("planned", "achieved"))
    if planned is None or achieved is None or not known(achieved["estimate"]):
        return ""
    text = (
        f"The study was planned with {number(planned['estimate'])} participants at follow-up; "
        f"{number(achieved['estimate'])} were there."
    )
    difference = terms.get((Term.PLANNED_DIFFERENCE, "planned"))
    if difference is not None:
        size = quantity(difference["estimate"], 1, difference["scale"])
        text += f" The difference to be found was {size} ({difference['note']})."
    source_said = source.plan.planned.source if source.plan.planned else None
    return f"{text} {source_said.strip()}" if source_said else text


def assumptions(source: Source) -> list[str]:
    """Return one sentence for each of the models set side by side: what it assumes."""
    sentences: dict[str, None] = {}
    for outcome in source.primary:
        for data in DATA:
            found = side_by_side(source, outcome.id, data)
            for model in SIDE_BY_SIDE:
                if model in found and found[model]["note"]:
                    name = method(found[model]).partition(", ")[0]
                    # What follows the first remark is of these data only.
                    note = found[model]["note"].partition("; ")[0]
                    sentences[f"{name} {note}."] = None
    return list(sentences)


def paradox(source: Source) -> list[str]:
    """Return what the comparison of ANCOVA with the change score came to, outcome by outcome."""
    found: dict[str, dict[str, list[str]]] = {}
    for outcome in source.plan.outcomes:
        for data, label in DATA.items():
            row = lord_row(source, outcome.id, data)
            if row and row["note"]:
                verdict, _, details = row["note"].partition(": ")
                by_name = found.setdefault(verdict, {})
                by_name.setdefault(source.name(outcome.id), []).append(
                    f"{label.lower()}: {details}"
                )
    return [_verdict(verdict, by_name) for verdict, by_name in found.items()]


def _verdict(verdict: str, by_name: dict[str, list[str]]) -> str:
    """Say what holds for some outcomes; where nothing can be judged the table has the intervals."""
    if "without an MCID" in verdict:
        return (
            f"{capitalised(verdict)}, and none is declared for {listed(list(by_name))}: the table "
            "has the intervals of the difference between the two."
        )
    parts = [f"{name} ({'; '.join(details)})" for name, details in by_name.items()]
    return f"{capitalised(verdict)}: {'; '.join(parts)}."


def checked(source: Source) -> list[str]:
    """Return what the checks of the models came to."""
    flagged: list[str] = []
    fragile: list[str] = []
    made = 0
    for analysis in source.plan.checks:
        for outcome in source.plan.outcomes:
            rows = check_rows(source, analysis, outcome.id)
            made += len(rows)
            pairs = fragile_pairs(rows)
            influence = (Term.COOK, Term.OUTLYING_PAIR)
            name = source.name(outcome.id)
            terms = [r["term"] for r in rows if r["status"] == Status.FLAGGED and r not in pairs]
            found = [term for term in terms if term not in influence]
            if found:
                flagged.append(f"{name} ({listed(found)})")
            if pairs or len(found) < len(terms):
                fragile.append(name)
    if not made:
        return []
    flagged, fragile = list(dict.fromkeys(flagged)), list(dict.fromkeys(fragile))
    sentences = [
        f"Departures from what the models assume were found for {'; '.join(flagged)}."
        if flagged
        else "No departure from what the models assume was found; with so few people and clusters "
        "that is no proof that there is none."
    ]
    if fragile:
        sentences.append(
            f"The result hangs on few for {listed(fragile)}: that makes it fragile, and violates "
            "no assumption."
        )
    return sentences


def shows_records(source: Source) -> bool:
    """Return whether documents may list participants and raw values: not those of real data."""
    return source.study.data_status != REAL
