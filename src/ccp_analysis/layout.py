"""Every file of a study folder, by name."""

from __future__ import annotations

from pathlib import Path

STUDY = Path("config/study.yaml")
DICTIONARY = Path("config/dictionary.csv")
INSTRUMENTS = Path("config/instruments.yaml")
PLAN = Path("config/analysis.yaml")
ECONOMICS = Path("config/economics.yaml")
IMPLEMENTATION = Path("config/implementation.yaml")
RULES = Path("config/rules.yaml")
DECISIONS = Path("config/decisions.csv")
DEVIATIONS = Path("config/deviations.csv")  # from the plan that was locked, and why
LOCKED = Path("config/locked")  # a folder for each version of the plan that was locked
LOCK = "lock.json"  # in each, beside copies of the files

DERIVED = Path("data/derived")  # everything computed, for the next step
RECORDS = DERIVED / ".sha256"  # of each file that a run wrote, its checksum
ALTERED = DERIVED / "altered"  # what was changed after a run wrote it
RERUN = DERIVED / "verify-"  # the beginning of the name of a folder in which a verification runs
CAPTIONS = DERIVED / "captions"
QUERIES = DERIVED / "queries.csv"
FLOW = DERIVED / "flow.json"
SHOWN = DERIVED / "released.json"  # of the flow, what may be shown
EVENTS = DERIVED / "events.parquet"  # where the study has a file of losses

RESULTS = Path("reports/results.csv")
TABLES = Path("reports/tables")
FIGURES = Path("reports/figures")
WORKBOOK = Path("reports/tables.xlsx")
# Of all results, beside the table itself: a page to search, and the same for programs.
BROWSED = Path("reports/results.html")
EXCHANGED = Path("reports/results.json")
RELEASED = (WORKBOOK, BROWSED, EXCHANGED)
# What the plan's analyses do in all scenarios of drawn studies, where that was asked for.
CHARACTERISTICS = tuple(Path(f"reports/characteristics.{kind}") for kind in ("csv", "md"))
DOCUMENTS = tuple(Path(f"reports/report.{kind}") for kind in ("html", "docx", "pdf"))
PLANNED = tuple(Path(f"reports/plan.{kind}") for kind in ("html", "docx", "pdf"))
CODEBOOK = tuple(Path(f"reports/codebook.{kind}") for kind in ("html", "csv"))
