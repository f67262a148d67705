from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from made_up import Folder, flow_of

from ccp_analysis.reporting import sentences
from ccp_analysis.reporting.sentences import quantity


def test_the_primary_sentence(clustered: Folder) -> None:
    people, primary, secondary, money = sentences.summary(clustered.source())
    assert people == (
        "Of 41 people recruited, 40 had a baseline interview and 33 were interviewed at end."
    )
    assert primary.startswith(
        "Sleep at end (primary outcome): the adjusted difference, New care minus Usual care, was "
        "−0.55 points (95% confidence interval −3.49 to 2.39; p = 0.57; ANCOVA, imputed; "
        "40 participants in 4 wards, 5 imputations). "
        "The data are compatible with differences from 3.49 points in favour of Usual care to "
        "2.39 points in favour of New care. "
        "A difference of 3 points, the smallest that matters, lies within it. "
        "By the other analyses it was between −0.91 points (ANCOVA, complete cases) and "
        "−0.43 points (Mixed model, imputed); all of their intervals include zero."
    )
    assert "Pain at the −1.25 (−1.88 to −0.62)" in secondary
    assert "in costs −£1,234 (−4,400 to 1,931; ANCOVA, imputed)" in money


def test_without_a_direction_none_is_claimed(plain: Folder) -> None:
    _, primary = sentences.summary(plain.source())
    assert "from 4.6 points lower to 0.4 points higher with Drug B." in primary
    assert "favour" not in primary
    assert "90% confidence interval −4.6 to 0.4; p = 0.052;" in primary


def test_an_interval_without_zero_and_a_failure_are_said(plain: Folder) -> None:
    _, primary = sentences.summary(plain.source())
    assert (
        "the interval of Repeated measures, observed visits (−3.8 to −0.6) does not include zero"
    ) in primary
    assert "could not be fitted (2 of 2 fits of the mixed model did not converge)" in primary


def test_an_interval_on_one_side_favours_one_arm(clustered: Folder) -> None:
    source = clustered.source()
    pain = source.plan.outcomes[1].model_copy(update={"role": "primary"})
    plan = source.plan.model_copy(update={"outcomes": [pain]})
    text = sentences.summary(replace(source, plan=plan))[1]
    assert (
        "compatible with differences from 1.88 points to 0.62 points in favour of New care."
    ) in text


def test_a_primary_analysis_without_an_estimate_is_said(plain: Folder) -> None:
    source = plain.source()
    rows = [row for row in source.results if row["analysis"] != "main"]
    _, primary = sentences.summary(replace(source, results=rows))
    assert primary.startswith("Mood: the primary analysis has no estimate.")


def test_nothing_is_called_no_effect_or_significant(clustered: Folder, plain: Folder) -> None:
    for folder in (clustered, plain):
        text = " ".join(sentences.summary(folder.source())).lower()
        for word in ("no effect", "no difference", "significant", "effective"):
            assert word not in text


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
        for text in sentences.summary(source):
            for found in re.findall(r"\d[\d,]*(?:\.\d+)?", text):
                places = len(found.partition(".")[2])
                value = float(found.replace(",", ""))
                rounded = any(abs(value - n) <= 0.5 * 10**-places + 1e-9 for n in known)
                assert rounded or found in labels or found in notes, (found, text)


def test_quantities() -> None:
    assert quantity(-250.4, 0, "pounds") == "−£250"
    assert quantity(250.6, 0, "pounds") == "£251"
    assert quantity(1.5, 1, "points") == "1.5 points"
    assert quantity(0.5, 2, "utility") == "0.50"
