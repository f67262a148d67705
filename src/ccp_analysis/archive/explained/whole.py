"""The explanation of a row, whole: what `explain` prints, and what it gives to programs."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ccp_analysis.archive.explained import money
from ccp_analysis.archive.explained.basis import INTERNAL, Basis, count
from ccp_analysis.archive.explained.facts import Facts, Row
from ccp_analysis.archive.explained.imputed import imputation_of
from ccp_analysis.archive.explained.kinds import basis_of
from ccp_analysis.archive.explained.lineage import Lineage
from ccp_analysis.archive.explained.made import Made
from ccp_analysis.archive.explained.meaning import INFERRED, OF_WHOM, POOLED, meaning
from ccp_analysis.config.formulas import Part
from ccp_analysis.config.models import LABELS
from ccp_analysis.report.words import inside
from ccp_analysis.results.terms import Status

NOT_RUN = (
    "data/derived is not there, so that this is said from the configuration and the results alone. "
    "A run (make run) adds: who was left out and why, how many values were imputed in each arm and "
    "by what, what cleaning changed, prices as they were used, and hashes of what was derived."
)


class Explainer:
    """Explains rows; what they share is read once."""

    def __init__(self, facts: Facts | None = None) -> None:
        self.facts = facts or Facts()
        self.lineage = Lineage(self.facts)
        self.made = Made(self.facts)

    def of(self, row: Row) -> dict[str, Any]:
        """Return all that is known of a row, for programs.

        Parameters
        ----------
        row : dict
            Of `Facts.rows`.

        Returns
        -------
        dict
            `row`, `number`, `model`, `people`, `imputation`, `variables`, `raw` (the columns at the
            end of all variables), `cleaning`, `economics` (of such rows), `made` (the rules in
            order), `files` with their SHA-256, `versions`, `random`, and `missing`, a sentence
            where there is no run to look into.
        """
        basis = basis_of(self.facts, row)
        staff = basis.who in ("practitioners", "raters")
        paid = money.is_money(self.facts, row)
        perspective = money.perspective_of(self.facts, row) if paid else ""
        variables = [self.lineage.node(name, staff, perspective) for name in basis.variables]
        raw = {(leaf["file"], leaf["column"]): leaf for node in variables for leaf in node["raw"]}
        found = {
            "row": {name: value for name, value in row.items() if value not in (None, "")},
            "study": self._study,
            "number": self._number(row),
            "model": self._model(basis, row),
            "people": self._people(basis, row),
            "imputation": imputation_of(self.facts, basis, row),
            "variables": variables,
            "raw": list(raw.values()),
            "cleaning": self._cleaning(raw),
            "made": self.made.chain(row),
            "files": self.made.files(row, sorted({leaf["path"] for leaf in raw.values()})),
            "versions": self.made.versions,
            "random": self._random(basis),
        }
        if paid:
            found["economics"] = self._economics(basis, row)
        if not self.facts.ran:
            found["missing"] = NOT_RUN
        return found

    @cached_property
    def _study(self) -> dict[str, Any]:
        study = self.facts.study
        return {
            "id": study.id,
            "title": study.title,
            "data_status": study.data_status,
            "data": study.data_label,
        }

    def _number(self, row: Row) -> dict[str, Any]:
        facts, arms = self.facts, self.facts.study.arms
        clusters = facts.study.clusters
        contrast = f"{arms.levels[arms.active]} minus {arms.levels[arms.reference]}"
        unit = clusters.unit_label if clusters else "participant"
        pair = clusters.pair_label if clusters else "participant"
        outcome = facts.labels.outcome(row["outcome"])
        visit = facts.labels.visit(row["visit"])
        level = facts.labels.arm(row["level"])
        return {
            "what": meaning(row["term"], contrast, unit, pair),
            "of": ", ".join(filter(None, [outcome, visit])),
            "level": "" if row["level"] == f"{arms.active} - {arms.reference}" else level,
        }

    def _model(self, basis: Basis, row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {
            "label": LABELS.get(row["model"], "No model"),
            "says": basis.says,
            "notes": list(basis.notes),
            "inference": INFERRED.get(row["inference"], ""),
            "pooling": POOLED.get(row["pooling"], ""),
        }
        if formula := basis.formula:
            clusters = self.facts.study.clusters
            labels = {
                "unit": clusters.unit_label if clusters else "participant",
                "pair": clusters.pair_label if clusters else "participant",
            }
            found["formula"] = formula.symbols(basis.y, basis.fill)
            found["outcome"] = self._label(basis.y)
            found["terms"] = [list(term) for term in formula.filled(basis.fill)]
            found["in words"] = formula.words(self._called(basis))
            if more := formula.more.format(**labels):
                found["more"] = more
        if row["estimand"]:
            named = [e for e in self.facts.plan.estimands if e.id == row["estimand"]]
            found["estimand"] = named[0].name if named else row["estimand"]
        return found

    def _called(self, basis: Basis) -> dict[Part, list[str]]:
        """Return what the variables of a formula are called."""
        study = self.facts.study
        found = {
            part: [inside(self._label(name)) for name in names]
            for part, names in basis.fill.items()
            if part in (Part.BASELINE, Part.COVARIATES, Part.BALANCED, Part.SUBGROUP)
        }
        unit = [f"the {study.clusters.unit_label}"] if study.clusters else []
        pair = [f"the {study.clusters.pair_label}"] if study.clusters else []
        return (
            {Part.BASELINE: [], Part.COVARIATES: [], Part.BALANCED: []}
            | found
            | {
                Part.UNIT: unit,
                Part.PAIR: pair,
            }
        )

    def _label(self, name: str) -> str:
        """Return what a variable is called, with its visit, in the middle of a sentence."""
        labels = self.facts.labels
        for visit in self.facts.study.visits:
            stem = name.removesuffix(f"_{visit.id}")
            if stem != name:
                return f"{labels.name(stem)} at {inside(visit.label)}"
        return labels.name(name)

    def _people(self, basis: Basis, row: Row) -> dict[str, Any]:
        counted = count(self.facts, basis)
        found = counted.as_json()
        shown = row["n"] if row["status"] != Status.SUPPRESSED else None
        known = shown is not None and counted.n is not None
        found |= {
            "population": OF_WHOM.get(row["population"], row["population"]),
            "needed": [name for name in dict.fromkeys(basis.needed) if name not in INTERNAL],
            "observed": list(basis.observed),
            "any_of": [list(names) for names in (basis.any_of, basis.both) if names],
            "groups": [list(group) for group in basis.groups],
            "without": list(basis.without) if basis.without else None,
            "imputed": basis.completed,
            "row": shown,
            "agrees": counted.n == shown if known else None,
            "clusters": row["n_clusters"],
        }
        if self.facts.study.guarded:  # what results and released flow show, and no more
            found |= {"start": None, "n": None}
            found["left_out"] = [
                {"why": one["why"], "n": None, "lacking": dict.fromkeys(one["lacking"])}
                for one in found["left_out"]
            ]
        found["flow"] = self._flow
        return found

    @cached_property
    def _flow(self) -> list[dict[str, Any]]:
        """Return the stages of the flow with why people are missing from each, by their labels."""
        return [
            {
                "stage": stage["label"],
                "n": stage["n"],
                "missing": {
                    self.facts.labels.reason(stage["stage"], one["reason"]): one["n"]
                    for one in stage.get("missing", [])
                },
            }
            for stage in self.facts.flow.get("stages", [])
        ]

    def _cleaning(self, raw: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
        leaves = list(raw.values())
        return {
            "rules": self.lineage.rules(leaves),
            "queries": self.lineage.cleaned(leaves),
        }

    def _random(self, basis: Basis) -> dict[str, Any]:
        streams = [["imputation", "chained"]] if basis.completed else []
        streams += [list(basis.stream)] if basis.stream else []
        return {"seed": self.facts.plan.seed, "streams": streams}

    def _economics(self, basis: Basis, row: Row) -> dict[str, Any]:
        facts, economics = self.facts, money.evaluation_of(self.facts)
        perspective = money.perspective_of(facts, row)
        names = set(basis.needed)
        prices: dict[str, dict[str, Any]] = {}
        for line in facts.price_rows:
            if line["variable"] in names:
                prices.setdefault(line["service"], line)
        found: dict[str, Any] = {
            "perspective": economics.perspectives[perspective].label,
            "services": facts.services[perspective],
            "currency": economics.currency,
            "price_year": economics.price_year,
            "prices": [
                {key: line[key] for key in ("service", "price", "price_unit", "source")}
                for line in prices.values()
            ],
            "unit_costs": economics.unit_costs.as_posix(),
            "utility": money.utility_of(facts, row),
            "months": economics.months,
            "strange": len(facts.price_queries),
        }
        if row["threshold"] is not None:
            found["threshold"] = row["threshold"]
        if economics.intervention and perspective:
            found["intervention"] = {
                "costs": economics.intervention.costs.as_posix(),
                "share": economics.intervention.share,
                "items": facts.items,
                "total": facts.intervention_total,
            }
        return found
