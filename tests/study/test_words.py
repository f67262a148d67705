"""What stops a run is said in sentences, the first ones where there are many."""

from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
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
MISTAKES = {
    "tab": (
        "config/study.yaml",
        ("\n  variable: arm", "\n\tvariable: arm"),
        r"study.yaml, line 11: not valid YAML .*; indent with blanks, not with tabs\.",
    ),
    "key twice": (
        "config/study.yaml",
        ("short_title:", "title: x\nshort_title:"),
        r"line 4: not valid YAML \(the key 'title' stands twice\); keep one of them\.",
    ),
    "colon in a text": (
        "config/study.yaml",
        ("title: Connecting", "title: Connecting: "),
        r"line 3: not valid YAML .*; put a text that holds ': ' within quotes\.",
    ),
    "a word for a truth value": (
        "config/study.yaml",
        ("randomised: false", "randomised: nein"),
        r"line 8: randomised: .*; expected true or false \(found: 'nein'\)\.",
    ),
    "date of another form": (
        "config/study.yaml",
        ("data_date: 2021-03-31", "data_date: 31.03.2021"),
        r"line 7: data_date: .*; expected one as 2021-01-31 \(found: '31.03.2021'\)\.",
    ),
    "full stop in a name": (
        "config/analysis.yaml",
        ("id: social_capital", "id: social.capital"),
        r"line 40: outcomes.0.id: expected a name of small letters, digits and _ \(found: 'soc",
    ),
    "outcome twice": (
        "config/analysis.yaml",
        ("id: wellbeing,", "id: recovery,"),
        r"line 39: outcomes: every outcome may stand once; not so 'recovery'\.",
    ),
    "other price year": (
        "config/economics.yaml",
        ("price_year: 2020", "price_year: 2091"),
        r"price_index.csv: the price year 2091 is missing; .*; expected one of its years \(2015",
    ),
    "other name of a column": (
        "data/raw/baseline.csv",
        ("age,", "Age (years),"),
        r"column 'age' is missing; .* most like it: 'Age \(years\)'; name it so in the file, or ch",
    ),
    "other name of a file": (
        "config/study.yaml",
        ("raw/followup.csv", "raw/follow_up.csv"),
        r"raw/follow_up.csv: the file is missing; .* most like it: 'followup.csv'; put the file",
    ),
    "semicolons": (
        "data/raw/teams.csv",
        ("team,trust,arm", "team;trust;arm"),
        r"column 'team' is missing; .* say 'delimiter: semicolon' for this file",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_what_was_expected_and_what_to_do(tmp_path, monkeypatch, mistake):
    monkeypatch.chdir(tmp_path)
    name, (old, new), sentence = MISTAKES[mistake]
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
