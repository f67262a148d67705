from __future__ import annotations

import re
from dataclasses import replace

from made_up import Folder
from support.reported import summary

from ccp_analysis.report.sections.checks import checked
from ccp_analysis.report.sections.could_be import could_be
from ccp_analysis.report.sections.not_randomised import paradox


def test_an_interval_on_one_side_favours_one_arm(clustered: Folder) -> None:
    source = clustered.source()
    pain = source.plan.outcomes[1].model_copy(update={"role": "primary"})
    plan = source.plan.model_copy(update={"outcomes": [pain]})
    text = summary(replace(source, plan=plan))["Primary outcome"]
    said = "compatible with differences from 1.88 points to 0.62 points in favour of New care."
    assert said in text


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
