from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from made_up import Folder, flow_of
from support.reported import summary

from ccp_analysis.report.cells import quantity
from ccp_analysis.report.sections.checks import checked
from ccp_analysis.report.sections.could_be import could_be
from ccp_analysis.report.sections.not_randomised import paradox


def test_the_primary_sentence(clustered: Folder) -> None:
    said = summary(clustered.source())
    assert said["Design"].startswith("Controlled study, not randomised, of new care and usual care")
    assert said["Participants"] == (
        "Of 41 people recruited, 40 had a baseline interview and 33 were interviewed at end. By "
        "intention to treat are analysed the 40 with a baseline interview, in the arm at "
        "recruitment; 1 without one are not."
    )
    primary = said["Primary outcome"]
    assert primary.startswith(
        "No difference in sleep at end was found: the adjusted difference, New care minus Usual "
        "care, was "
        "−0.55 points (95% confidence interval −3.49 to 2.39; "
        "p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.57; ANCOVA, imputed; "
        "40 participants in 4 wards, 5 imputations). "
        "The data are compatible with differences from 3.49 points in favour of Usual care to "
        "2.39 points in favour of New care. "
        "The interval excludes a difference of 3 points or more in favour of New care; the "
        "interval does not exclude a difference of 3 points or more in favour of Usual care. "
        "By the other analyses it was between −0.91 points (ANCOVA, complete cases) and "
        "1.20 points (Change score, imputed), with intervals that reach from −14.70 points to "
        "13.30 points; the interval of Change score, imputed (0.10 to 2.30) does not include "
        "zero. ANCOVA and the change score disagree (Lord's paradox): the interval of "
        "their difference"
    )
    assert (
        "Intervals exclude zero for Pain at the −1.25 (−1.88 to −0.62)."
        in said["Secondary outcomes"]
    )
    assert "in costs −£1,234 (−4,400 to 1,931; ANCOVA, imputed)" in said["Costs"]


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


def test_without_a_direction_none_is_claimed(plain: Folder) -> None:
    primary = summary(plain.source())["Primary outcome"]
    assert "from 4.6 points lower to 0.4 points higher with Drug B." in primary
    assert "favour" not in primary
    assert (
        "90% confidence interval −4.6 to 0.4; p\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}0.052;"
        in primary
    )


def test_an_interval_without_zero_and_a_failure_are_said(plain: Folder) -> None:
    primary = summary(plain.source())["Primary outcome"]
    assert (
        "the intervals of Repeated measures, observed visits (−3.8 to −0.6) and MMRM "
        "with baseline by visit, observed visits (−4.3 to −0.4) do not include zero"
    ) in primary
    assert "could not be fitted (2 of 2 fits of the mixed model did not converge)" in primary


def test_an_interval_on_one_side_favours_one_arm(clustered: Folder) -> None:
    source = clustered.source()
    pain = source.plan.outcomes[1].model_copy(update={"role": "primary"})
    plan = source.plan.model_copy(update={"outcomes": [pain]})
    text = summary(replace(source, plan=plan))["Primary outcome"]
    assert (
        "compatible with differences from 1.88 points to 0.62 points in favour of New care."
    ) in text


def test_a_primary_analysis_without_an_estimate_is_said(plain: Folder) -> None:
    source = plain.source()
    rows = [row for row in source.results if row["analysis"] != "main"]
    primary = summary(replace(source, results=rows))["Primary outcome"]
    assert primary.startswith("Mood: the primary analysis has no estimate.")


def test_nothing_is_called_no_effect_or_significant(clustered: Folder, plain: Folder) -> None:
    for folder in (clustered, plain):
        source = folder.source()
        said = [*summary(source).values(), *could_be(source)]
        text = " ".join([*said, *checked(source)]).lower()
        for word in ("no effect", "significant", "effective"):
            assert word not in text
        # Of what was looked for and what it allows, and never of what there is.
        assert len(re.findall("no difference", text)) == len(
            re.findall(
                r"no difference in [^.:]+ was found: the adjusted|no difference was found", text
            )
        )


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


def test_quantities() -> None:
    assert quantity(-250.4, 0, "pounds") == "−£250"
    assert quantity(250.6, 0, "pounds") == "£251"
    assert quantity(1.5, 1, "points") == "1.5 points"
    assert quantity(0.5, 2, "utility") == "0.50"


def test_another_visit_is_not_compared(plain: Folder) -> None:
    primary = summary(plain.source())["Primary outcome"]
    assert "−1.2" not in primary


def test_intervals_are_not_called_adjusted(clustered: Folder) -> None:
    secondary = summary(clustered.source())["Secondary outcomes"]
    assert "not adjusted for their number; p-values adjusted" in secondary


def test_what_a_difference_could_be(clustered: Folder, plain: Folder) -> None:
    detectable, mcid, unknown, planned = could_be(clustered.source())
    assert "is 3.46 points for Sleep, at the fitted variances, with a power of 80%." in detectable
    assert mcid.startswith("Sleep: the interval excludes a difference of 3 points or more")
    assert unknown.startswith("No minimal clinically important difference is declared for Pain")
    assert planned == (
        "The study was planned with 60 participants at follow-up and a difference of 2.0 points "
        "(SD 5, power 80%); 33 were there. By the t distribution 60 would find 12.3 points, and 33 "
        "15.7 points."
    )
    assert not any("smallest true" in text for text in could_be(plain.source()))


def test_fragility_is_no_violated_assumption(clustered: Folder) -> None:
    assumptions, fragile = checked(clustered.source())
    assert assumptions == (
        "Departures from what the models assume were found for Sleep (homogeneity of slopes)."
    )
    assert fragile.startswith("The result hangs on few for Sleep:")
    assert "violates no assumption" in fragile


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


def test_two_intervals_that_include_zero_are_not_called_alike(
    clustered: Folder, plain: Folder
) -> None:
    for folder in (clustered, plain):
        source = folder.source()
        said = [*summary(source).values(), *paradox(source)]
        text = " ".join([*said, *checked(source)])
        for words in ("all of their intervals", "both intervals", "throughout", "conclusion"):
            assert words not in text
