from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from made_up import Folder, flow_of
from support.reported import summary

from ccp_analysis.report.sections.checks import checked
from ccp_analysis.report.sections.could_be import could_be
from ccp_analysis.report.sections.not_randomised import paradox


def test_what_cleaning_set_missing_in_outcomes_is_said(clustered: Folder) -> None:
    source = clustered.source()
    lost = [
        {"name": "sleep", "n": 3, "reasons": {"not valid": 2, "outside the limits": 1}},
        {"name": "pain", "n": 1200, "reasons": {"not valid": 1200}},
        {"name": "age", "n": 4, "reasons": {"not valid": 4}},
    ]
    found = summary(replace(source, flow=source.flow | {"set_missing": lost}))
    assert {h: text for h, text in found.items() if h != "Data"} == summary(source)
    assert found["Data"] == (
        "Cleaning set values of outcomes missing. Sleep: 3 (2 not valid, 1 outside the limits); "
        "Pain at the: 1,200 not valid."
    )


def test_an_interval_on_one_side_favours_one_arm(clustered: Folder) -> None:
    source = clustered.source()
    pain = source.plan.outcomes[1].model_copy(update={"role": "primary"})
    plan = source.plan.model_copy(update={"outcomes": [pain]})
    text = summary(replace(source, plan=plan))["Primary outcome"]
    said = "compatible with differences from 1.88 points to 0.62 points in favour of New care."
    assert said in text


def test_a_primary_analysis_without_an_estimate_is_said(plain: Folder) -> None:
    source = plain.source()
    rows = [row for row in source.results if row["analysis"] != "main"]
    primary = summary(replace(source, results=rows))["Primary outcome"]
    assert primary.startswith("Mood: the primary analysis has no estimate.")


FOUND = r"no difference in [^.:]+ was found: the adjusted|no difference was found"


def test_nothing_is_called_no_effect_or_significant(clustered: Folder, plain: Folder) -> None:
    """And two intervals that include zero are not called alike."""
    for folder in (clustered, plain):
        source = folder.source()
        said = [*summary(source).values(), *could_be(source), *checked(source)]
        text = " ".join(said).lower()
        for word in ("no effect", "significant", "effective"):
            assert word not in text
        # Of what was looked for and what it allows, and never of what there is.
        assert len(re.findall("no difference", text)) == len(re.findall(FOUND, text))
        text = " ".join([*summary(source).values(), *paradox(source), *checked(source)])
        for words in ("all of their intervals", "both intervals", "throughout", "conclusion"):
            assert words not in text


def _numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _numbers_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _numbers_in(part)


def test_every_number_of_the_summary_is_a_result(clustered: Folder, plain: Folder) -> None:
    for folder in (clustered, plain):
        source = folder.source()
        config = [source.study.model_dump(), source.plan.model_dump()]
        config += [source.economics.model_dump()] if source.economics else []
        config += [i.model_dump() for i in source.instruments.values()]
        known = {abs(n) for n in _numbers_in([source.results, flow_of(folder), config])}
        known.add(source.plan.confidence_level * 100)
        labels = " ".join(visit.label for visit in source.study.visits)
        notes = " ".join(row["note"] for row in source.results)
        texts = [*summary(source).values(), *could_be(source)]
        for text in [*texts, *paradox(source), *checked(source)]:
            for found in re.findall(r"\d[\d,]*(?:\.\d+)?", text):
                places = len(found.partition(".")[2])
                value = float(found.replace(",", ""))
                rounded = any(abs(value - n) <= 0.5 * 10**-places + 1e-9 for n in known)
                assert rounded or found in labels or found in notes, (found, text)


def test_agreement_is_said_by_outcome_and_only_disagreement_in_the_summary(
    clustered: Folder,
) -> None:
    source = clustered.source()

    def said(note: str) -> tuple[list[str], str]:
        rows = [row | {"note": note} if "paradox" in row["note"] else row for row in source.results]
        changed = replace(source, results=rows)
        return paradox(changed), summary(changed)["Primary outcome"]

    details = "the interval of their difference, 0.1 to 0.9 points, lies within the MCID"
    agreed, whole = said(f"ANCOVA and the change score agree to within the MCID: {details}")
    assert agreed == [
        f"ANCOVA and the change score agree to within the MCID: Sleep (imputed: {details})."
    ]
    assert "ANCOVA and the change score" not in whole
    unjudged, whole = said(
        "whether ANCOVA and the change score agree cannot be judged without an MCID: the interval"
    )
    assert unjudged == [
        "Whether ANCOVA and the change score agree cannot be judged without an MCID, and none is "
        "declared for Sleep: the table has the intervals of the difference between the two."
    ]
    assert "ANCOVA and the change score" not in whole
