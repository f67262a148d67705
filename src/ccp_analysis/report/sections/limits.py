"""How far the results reach, by what configuration and flow say."""

from __future__ import annotations

from ccp_analysis.report.cells import few_clusters, multiplicity
from ccp_analysis.report.section import Section
from ccp_analysis.report.sections import harms, setting
from ccp_analysis.report.source import Source


def limits(source: Source) -> list[str]:
    """Return what the configuration and the flow say about how far the results reach."""
    study, said = source.study, []
    if study.data_status == "synthetic":
        said.append("The data are synthetic. They show that the analysis runs, and nothing else.")
    if not study.randomised:
        said.append(
            "The arms were not allocated at random. Adjustment can only take account of what was "
            "measured, and a difference may have causes other than the intervention."
        )
    if study.clusters:
        unit = study.clusters.unit_label
        few = (
            f", and there are few {unit}s: estimates rest on few degrees of freedom, and intervals "
            "are wide"
        )
        clusters = len(source.flow["stages"][0].get("by_cluster", ()))
        said.append(f"The arm is a property of the {unit}{few * few_clusters(clusters)}.")
    if any(entry["expected"] != entry["found"] for entry in source.flow["expected"]):
        said.append("The numbers of participants are not all as expected; see the notes there.")
    if any(stage.get("missing") for stage in source.flow["stages"]):
        said.append(
            "Follow-up is incomplete. The imputation holds if, given what was observed, values are "
            "missing at random, which the data cannot show."
        )
    if len(source.plan.outcomes) > 1 and not multiplicity(source):
        said.append("Several outcomes are reported without adjustment for their number.")
    if not harms.harms_by_arm(source):
        said.append(harms.SILENT)
    said += setting.limits(source)
    return said


SECTION = Section("limits", said=lambda source: {"limits": limits(source)})
