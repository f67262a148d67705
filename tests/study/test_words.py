"""What stops a run is said in sentences, the first ones where there are many."""

from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from support.cases import cases
from support.study import BTHEB, CCP, ROOT, copy_whole

from ccp_analysis import before
from ccp_analysis.config.trial import Trial
from ccp_analysis.errors import StudyError, like


def said_by_snakemake(folder, *words):
    """What the screen holds where a run ends before its first job; Snakemake names its profile."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "1"]
    command += ["--directory", folder, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    first, *sentences = done.stderr.splitlines()
    assert first.startswith("Using workflow specific profile")
    return sentences


@pytest.mark.pipeline
def test_a_run_that_cannot_begin_is_told_in_sentences_alone(tmp_path):
    folder = copy_whole(CCP, tmp_path)
    assert said_by_snakemake(tmp_path, "reports/raport.html")[0].startswith(
        "'reports/raport.html' is no rule, and no file that one makes; most like it: "
        "'reports/report.html'; expected a rule (all, clean, cost, "
    )
    # Without config/economics.yaml there is nothing to cost.
    [sentence] = said_by_snakemake(copy_whole(BTHEB, tmp_path / "other").path, "cost")
    assert sentence.startswith(
        "'cost' is no rule, and no file that one makes; expected a rule (all"
    )
    folder.change("config/economics.yaml", "currency:", "curency:")
    more = "".join(f",x{n}" for n in range(50))
    folder.change("data/raw/teams.csv", "arm\n", f"Arm{more}\n")
    sentences = said_by_snakemake(tmp_path)
    assert sentences[0].startswith("config/economics.yaml")
    assert any("column 'arm' is missing" in s and "like it: 'Arm'" in s for s in sentences)
    every = (tmp_path / "logs/before.log").read_text(encoding="utf-8").splitlines()
    rest = f"and {len(every) - 20} more; all of them are in logs/before.log"
    assert sentences == [*every[:20], rest]


def test_of_what_is_asked_for_and_not_made_a_sentence_says_what_is_like_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").touch()
    rules = [
        SimpleNamespace(
            name=name,
            output=[name + ".csv"],
            has_wildcards=lambda name=name: name == "fit",
            is_producer=lambda path, name=name: path.endswith(name + ".csv"),
        )
        for name in ("clean", "fit")
    ]
    asked = ["clean", "fit", "x/fit.csv", "there.csv", "cleen"]
    assert before.not_made(asked, rules) == [
        "'cleen' is no rule, and no file that one makes; most like it: 'clean'; expected a rule "
        "(clean) or one of the files that 'snakemake --summary' lists."
    ]


# What somebody may have done to a file, and what is said of it before any data are read.
MISTAKES = cases("study/data/mistakes.csv")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_what_was_expected_and_what_to_do(tmp_path, monkeypatch, mistake):
    monkeypatch.chdir(tmp_path)
    name, old, new, sentence = MISTAKES[mistake]
    copy_whole(CCP, tmp_path).change(name, old, new)
    found = before.faults(Trial())
    assert any(re.search(sentence, fault) for fault in found), found


def test_dates_with_the_month_first_are_told_to_be_written_otherwise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = copy_whole(CCP, tmp_path)
    dates = pd.read_csv(folder / "data/raw/baseline.csv", dtype=str, keep_default_na=False)
    dates["interview_date"] = dates["interview_date"].str.replace(
        r"(....)-(..)-(..)", r"\2/\3/\1", regex=True
    )
    dates.to_csv(folder / "data/raw/baseline.csv", index=False)
    with pytest.raises(StudyError, match=r"of the file, write the month between year and day, or"):
        folder.clean()


def test_capitals_make_no_name_unlike_and_many_names_are_not_compared():
    assert like("ARM", {"arm", "team"}) == "; most like it: 'arm'"
    assert like("colour", {"arm"}) == ""
    assert like("arm", {f"arm{n}" for n in range(10_001)}) == ""
