from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from made_up import Folder

from ccp_analysis.report.sections.imputation import UNMIXED, enough
from ccp_analysis.report.source import load

REMARK = (
    "50 imputations were made, 83 would bring the Monte Carlo error of the standard error to 5%"
)


def pooled(**more: object) -> dict[str, object]:
    return {"fmi": 0.2, "std_error": 1.0, "m": 50, "needed": None, **more}


def test_chains_that_had_not_mixed_are_named(clustered: Folder) -> None:
    source = clustered.source()
    assert not any("mixed" in text for text in enough(source))
    late = source.models.assign(r_hat_sd=1.3141, note=f"split R-hat 1.31: {UNMIXED}")
    [text, *_] = enough(replace(source, models=late))
    assert text.startswith("After 4 iterations the chains of Sleep")
    assert "split R-hat up to 1.31" in text and text.count("Sleep") == 1


def test_too_few_imputations_are_said_once(clustered: Folder) -> None:
    source = clustered.source()
    rows = [pooled(), pooled(needed=83), pooled(needed=61), pooled(fmi=None)]
    [text] = enough(replace(source, results=rows))
    assert text.startswith("For 2 of 3 pooled estimates 50 imputations are too few")
    assert "83 imputations would do for all of them" in text
    [text] = enough(replace(source, results=rows[:1]))
    assert text.startswith("With 50 imputations every pooled standard error")


def test_the_remark_is_taken_out_of_the_notes_of_tables(clustered: Folder, tmp_path: Path) -> None:
    table = pd.read_csv(clustered.path / "results.csv", dtype=str, keep_default_na=False)
    notes = [REMARK, f"one; {REMARK}", f"{REMARK}; two", f"one; {REMARK}; two", "one"]
    table["note"] = notes + [""] * (len(table) - 5)
    table.to_csv(tmp_path / "results.csv", index=False)
    with clustered.inside():
        rows = load(tmp_path / "results.csv", Path("flow.json")).results[:6]
    assert [row["note"] for row in rows] == ["", "one", "two", "one; two", "one", ""]
    assert [row["needed"] for row in rows] == [83, 83, 83, 83, None, None]
