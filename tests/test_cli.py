"""The command line: exit status, the one sentence on the screen, everything else in the log."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ccp_analysis
from ccp_analysis import cli
from ccp_analysis.cleaning import stage as cleaning

SOURCE = Path(ccp_analysis.__file__).parents[1]
CLEAN = [
    *("clean", "--participants", "out/p.parquet", "--queries", "out/q.csv"),
    *("--flow", "out/f.json", "--log", "logs/clean.log"),
]
LOG = Path("logs/clean.log")


@pytest.fixture(autouse=True)
def _logging_as_it_was():
    """A command takes over the logging of its process; a test gives it back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def outputs() -> list[str]:
    return sorted(p.name for p in Path("out").iterdir()) if Path("out").is_dir() else []


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "ccp_analysis.cli", *arguments],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_as_a_process(ccp_study):
    done = run(*CLEAN)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert outputs() == ["f.json", "p.parquet", "q.csv"]
    assert "159 participants" in LOG.read_text()


def test_a_fault_as_a_process(ccp_study):
    ccp_study.cell("data/raw/followup.csv", 5, "participant", "CP999")
    ccp_study.cell("data/raw/followup.csv", 9, "participant", "CP998")
    done = run(*CLEAN)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "clean: data/raw/followup.csv, line 5, column 'participant': 'CP999' was not recruited; "
        "most like it: 'CP099'; correct the cell, or add the person to data/raw/recruitment.csv. "
        "(1 more in the log)\n"
    )
    log = LOG.read_text()
    assert "followup.csv, line 5, column 'participant': 'CP999'" in log
    assert "followup.csv, line 9, column 'participant': 'CP998'" in log
    assert "Traceback" not in log
    assert outputs() == []


FAULTS = {
    "YAML": ("config/study.yaml", "arms:\n", "arms: [\n", "config/study.yaml, line "),
    "unknown key": (
        "config/study.yaml",
        "id: ccp",
        "id: ccp\nidea: 1",
        "study.yaml, line 3: idea: unknown",
    ),
    "wrong type": (
        "config/instruments.yaml",
        "minimum_answered: 0.8",
        "minimum_answered: most",
        "config/instruments.yaml, line 28: instruments.social_capital.minimum_answered: ",
    ),
    "dictionary": ("config/dictionary.csv", "Age,integer", "Age,number of years", "line 11: type"),
    "raw header": ("data/raw/baseline.csv", ",age,", ",aeg,", "data/raw/baseline.csv, line 1: col"),
    "raw cells": ("data/raw/teams.csv", "T02,", "T02,,", "data/raw/teams.csv, line 3: 4 cells"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_bad_input_is_one_line_on_the_screen(ccp_study, capsys, fault):
    name, old, new, sentence = FAULTS[fault]
    ccp_study.change(name, old, new)
    assert cli.main(CLEAN) == 1
    screen = capsys.readouterr()
    assert screen.out == ""
    assert screen.err.count("\n") == 1
    assert screen.err.startswith("clean: ")
    assert sentence in screen.err
    assert screen.err.removeprefix("clean: ").split(" (")[0].rstrip() in LOG.read_text()
    assert "Traceback" not in LOG.read_text()
    assert outputs() == []


def test_older_outputs_stay_as_they_were(ccp_study, capsys):
    assert cli.main(CLEAN) == 0
    assert capsys.readouterr() == ("", "")
    before = {p.name: p.read_bytes() for p in Path("out").iterdir()}
    assert set(before) == {"f.json", "p.parquet", "q.csv"}
    ccp_study.change("data/raw/teams.csv", "T02,", "T02,,")
    assert cli.main(CLEAN) == 1
    assert {p.name: p.read_bytes() for p in Path("out").iterdir()} == before
    sentence = capsys.readouterr().err.rstrip("\n")
    assert "4 cells found" in sentence
    # What ended commands is found in their logs.
    assert cli.faults_since(Path("logs"), 0) == [f"{sentence} (details in logs/clean.log)"]
    assert cli.faults_since(Path("logs"), LOG.stat().st_mtime + 1) == []
    ccp_study.change("data/raw/teams.csv", "T02,,", "T02,")
    assert cli.main(CLEAN) == 0
    assert cli.faults_since(Path("logs"), 0) == []


@pytest.fixture
def raised(ccp_study, capsys, monkeypatch):
    """What stands on the screen, and the status, where cleaning begins with an error."""

    def by(error: Exception) -> tuple[int, str]:
        def broken_study(*_: object) -> None:
            raise error

        monkeypatch.setattr(cleaning, "load_study", broken_study)
        status = cli.main(CLEAN)
        screen = capsys.readouterr()
        assert screen.out == "" and outputs() == []
        return status, screen.err

    return by


def test_a_slip_of_the_program_has_its_traceback_in_the_log_only(raised):
    assert raised(KeyError("a slip of the program")) == (
        3,
        "clean: this program failed (KeyError: 'a slip of the program'); the details are in "
        "logs/clean.log.\n",
    )
    assert "Traceback" in LOG.read_text()
    assert "broken_study" in LOG.read_text()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "give the account that runs this the right to read there"),
        (errno.EROFS, "copy the study folder to where files can be written"),
        (errno.ENOSPC, "make room on the disk"),
    ],
)
def test_a_file_that_the_system_refuses_is_a_sentence(raised, number, advice):
    words = os.strerror(number)
    status, said = raised(OSError(number, words, "data/derived/queries.csv"))
    assert status == 1 and said.count("\n") == 1
    assert said.startswith(f"clean: data/derived/queries.csv: {words}; {advice}")


def test_a_full_disk_in_the_words_of_another_program_is_a_sentence(raised):
    full = RuntimeError("pandoc, status 1: hPutBuf: exhausted (No space left on device)")
    sentence = "clean: No space left on device; make room on the disk and run it again.\n"
    assert raised(full) == (1, sentence)


def test_a_module_that_cannot_be_imported_is_no_traceback_either(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(cli.COMMANDS, "clean", "ccp_analysis.cleaning.no_such_module:run")
    assert cli.main(CLEAN) == 3
    screen = capsys.readouterr().err
    assert screen.count("\n") == 1
    assert "ModuleNotFoundError" in screen


@pytest.mark.parametrize("arguments", [[], ["polish"], ["--help"]])
def test_wrong_use_shows_how(arguments, capsys):
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err == cli.USAGE + "\n"


def test_no_command_at_all():
    done = run()
    assert (done.returncode, done.stderr) == (2, cli.USAGE + "\n")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["clean"], 2, "required: --participants, --queries, --flow"),
        (["clean", "--colour", "red"], 2, "required"),
        (["results", "--help"], 0, "Put the parts of the results table together"),
    ],
)
def test_options_are_those_of_the_function(arguments, status, said, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == status
    assert said in "".join(capsys.readouterr())


def test_every_command_has_a_function_with_options(capsys):
    for command in cli.COMMANDS:
        with pytest.raises(SystemExit) as caught:
            cli.main([command, "--help"])
        assert caught.value.code == 0
        assert "--log" in capsys.readouterr().out


def test_lists_and_paths_are_parsed_as_such(ccp_done, tmp_path, monkeypatch):
    monkeypatch.chdir(ccp_done.path)
    parts = sorted(str(p) for p in Path("data/derived/results").glob("*.parquet"))
    out = tmp_path / "results.csv"
    log = str(tmp_path / "log")
    assert cli.main(["results", "--parts", *parts, "--out", str(out), "--log", log]) == 0
    assert out.read_bytes() == Path("reports/results.csv").read_bytes()
