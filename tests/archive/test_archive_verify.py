"""Verification: what counts as equal, what is said, what stays behind."""

from __future__ import annotations

import html
import json
import math
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from small_repository import write_results

from ccp_analysis import archive as package
from ccp_analysis import cli
from ccp_analysis.archive import compared, verification, verify
from ccp_analysis.errors import StudyError
from ccp_analysis.results.table import COLUMNS, KEY, NUMBERS

DATA = Path(__file__).with_name("data")


# A cell of a row on both sides, and what the comparison calls it.
COMPARED = pd.read_csv(DATA / "compared.csv", dtype=str, keep_default_na=False).to_numpy().tolist()


def changed(row: int = 0, **cells: str) -> pd.DataFrame:
    """Return the results table as text with some cells of a row replaced."""
    table = write_results(Path("table.csv"))
    for column, text in cells.items():
        table.loc[row, column] = text
    return table


def stub(table: pd.DataFrame, folder: Path, seen: Path | None = None) -> list[str]:
    """Return a command that writes a table where the pipeline would, and what it saw."""
    script = """if True:
        import json, os, pathlib, sys
        text, folder, seen = sys.argv[1:]
        folder = pathlib.Path(folder)
        if seen:
            found = (p for p in folder.rglob("*") if p.is_file())
            files = sorted(p.relative_to(folder).as_posix() for p in found)
            pathlib.Path(seen).write_text(json.dumps([files, folder.stat().st_mode, str(folder)]))
        print("Building DAG of jobs...", flush=True)
        print("Job 1: Cleaning the raw files", flush=True)
        print("1 of 2 steps (50%) done", file=sys.stderr)
        (folder / "logs").mkdir()
        (folder / "logs/clean.log").write_text("cleaned")
        (folder / "reports").mkdir()
        (folder / "reports/results.csv").write_text(text)
    """
    text = table.to_csv(index=False, lineterminator="\n")
    return [sys.executable, "-c", script, text, str(folder), str(seen or "")]


def run(table: pd.DataFrame, against: Path | None = None) -> int:
    return verify.verify(lambda folder, _: stub(table, folder), against)


def compare_one(old: dict[str, str], new: dict[str, str]) -> pd.Series:
    """Return the comparison of one row, changed on either side."""
    found = verify.compare(changed(**old), changed(**new))
    assert list(found["comparison"][1:]) == [verify.IDENTICAL] * 2
    return found.iloc[0]


@pytest.fixture(autouse=True)
def _archived(repository):
    table = write_results(Path("archived/results.csv"))
    assert table["term"].to_list() == ["adjusted mean", "difference", "variance"]


@pytest.mark.parametrize(("column", "old", "new", "comparison"), COMPARED)
def test_rounding_and_spelling_make_no_difference_and_all_else_does(column, old, new, comparison):
    found = compare_one({column: old}, {column: new})
    assert found["comparison"] == comparison
    assert (found["column"], found["reference"], found["rerun"]) == (column, old, new)
    assert (found["difference"] <= compared.TOLERANCE) == (comparison == verify.EQUAL)


@pytest.mark.parametrize("column", ["estimate", "conf_low", "conf_high", "mc_error"])
def test_near_zero_the_standard_error_is_the_yardstick(column):
    old = {column: "1e-9", "std_error": "0.5"}
    within = compare_one(old, old | {column: "5.9e-9"})
    assert within["comparison"] == verify.EQUAL
    assert within["difference"] == pytest.approx(4.9e-9 / 0.5)
    assert compare_one(old, old | {column: "6.1e-9"})["comparison"] == verify.DIFFERENT
    for none in ("", "inf", "NaN"):  # without one a number is its own yardstick
        old = {column: "1e-9", "std_error": none}
        assert compare_one(old, old | {column: "1.1e-9"})["comparison"] == verify.DIFFERENT


@pytest.mark.parametrize("column", ["statistic", "p_value", "p_adjusted", "fmi"])
def test_statistics_and_shares_are_measured_by_one(column):
    # The standard error, which has units, must not count for them.
    old = {column: "1e-12", "std_error": "1000"}
    assert compare_one(old, old | {column: "9e-9"})["comparison"] == verify.EQUAL
    assert compare_one(old, old | {column: "1.2e-8"})["comparison"] == verify.DIFFERENT


def test_the_cell_that_differs_most_is_shown():
    found = compare_one({}, {"estimate": "10.26", "df": "8", "n": "152"})
    assert (found["column"], found["reference"], found["rerun"]) == ("df", "4.0", "8")
    assert found["difference"] == pytest.approx(0.5)


def test_rows_of_both_sides_and_of_one_only():
    same = [verify.IDENTICAL] * 3
    found = verify.compare(changed(), changed())
    assert found["comparison"].to_list() == same
    assert found[["column", "reference", "rerun", "difference"]].isna().all(axis=None)
    assert verify.compare(changed(), changed()[::-1])["comparison"].to_list() == same
    found = verify.compare(changed().drop(index=0), changed().drop(index=2))
    assert found["comparison"].to_list() == [verify.NEW, verify.IDENTICAL, verify.LOST]
    assert found[KEY].to_dict("records") == changed()[KEY].to_dict("records")
    found = verify.compare(changed(), changed(delta="1.5"))  # a changed key
    assert sorted(found["comparison"]) == [verify.IDENTICAL] * 2 + [verify.LOST, verify.NEW]


def test_verified(capsys):
    assert run(changed(estimate="10.250000000000002")) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-2] == "Verified: 2 rows identical, 1 equal within tolerance, 0 different."
    assert said[-1] == f"All that was found: {Path('logs/verification.html').absolute()}"
    assert said[:-2] == [
        "Running the study again from its raw data in a clean folder.",
        "  Job 1: Cleaning the raw files",
        "  1 of 2 steps (50%) done",
    ]
    table = pd.read_csv("logs/verification.csv", dtype=str, keep_default_na=False)
    assert table["comparison"].to_list() == [verify.EQUAL] + [verify.IDENTICAL] * 2
    assert table.loc[0, ["column", "reference", "rerun"]].to_list() == [
        *("estimate", "10.25", "10.250000000000002")
    ]
    assert set(table["data_status"]) == {"synthetic"}


def test_different(capsys):
    rerun = changed(row=1, estimate="1.75").drop(index=2)
    rerun.loc[9] = rerun.loc[0]
    rerun.loc[9, "term"] = "surprise"
    assert run(rerun) == 1
    said = capsys.readouterr().out
    assert said.partition("All that was found")[0].endswith(
        "Different: 1 rows identical, 0 equal within tolerance, 1 different, "
        "1 only in archived/results.csv, 1 only in the rerun; all are in logs/verification.csv.\n"
        "  ancova / score / difference: estimate 1.5 in archived/results.csv, 1.75 in the rerun\n"
        "  ancova / score / surprise / a: only in the rerun\n"
        "  mixed / score / variance: only in archived/results.csv\n"
    )
    assert Path("logs/verification.csv").is_file()


def test_only_the_first_few_differences_are_shown(capsys):
    rows = [{"analysis": "a", "outcome": f"o{i}", "estimate": float(i)} for i in range(8)]
    write_results(Path("archived/results.csv"), rows)
    other = write_results(Path("table.csv"), [row | {"estimate": None} for row in rows])
    assert run(other) == 1
    said = capsys.readouterr().out.splitlines()
    assert "  a / o4: estimate 4.0 in archived/results.csv, empty in the rerun" in said
    assert said[-2] == "  and 3 more"
    assert len(pd.read_csv("logs/verification.csv")) == 8


def test_without_an_archive_the_last_run_is_compared_with_and_named(capsys):
    Path("archived/results.csv").unlink()
    assert run(changed(estimate="11")) == 1
    said = capsys.readouterr().out
    assert said.startswith(
        "There is no archived/results.csv here: comparing with reports/results.csv, of the last"
    )
    assert "10.25 in reports/results.csv, 11 in the rerun" in said


def test_another_table_can_be_named_and_is_compared_alone():
    write_results(Path("mine.csv"))
    assert run(changed(), Path("mine.csv")) == 0
    assert json.loads(Path("logs/verification.json").read_text())["reports"] == {}
    with pytest.raises(StudyError, match=r"^yours.csv: the file is missing"):
        run(changed(), Path("yours.csv"))


def test_without_anything_to_compare_with_nothing_is_run():
    Path("archived/results.csv").unlink()
    Path("reports/results.csv").unlink()
    with pytest.raises(StudyError, match=r"nothing to compare with: neither archived/results.csv"):
        run(changed())
    assert not Path("logs/verify").exists()


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"\xff\xfe", (",".join(COLUMNS) + "\n").encode(), b'a\n"b\n']
)
def test_a_reference_that_is_no_results_table_is_refused(content):
    Path("archived/results.csv").write_bytes(content)
    with pytest.raises(StudyError, match=r"^archived/results.csv: not a results table; expected"):
        run(changed())
    pd.concat([changed(), changed().iloc[[1]]]).to_csv("archived/results.csv", index=False)
    with pytest.raises(StudyError, match=r"row 4: a result with the same key \(ancova / score / d"):
        run(changed())


def test_the_rerun_starts_from_configuration_and_raw_data_alone(tmp_path):
    seen = tmp_path / "seen.json"
    assert verify.verify(lambda folder, _: stub(changed(), folder, seen)) == 0
    copied, mode, folder = json.loads(seen.read_text())
    kept = ["analysis.yaml", "dictionary.csv", "instruments.yaml", "study.yaml"]
    assert copied == [f"config/{k}" for k in kept] + ["data/raw/README.md", "data/raw/people.csv"]
    assert stat.S_IMODE(mode) == 0o700
    assert not Path(folder).exists()
    assert Path("logs/verify/clean.log").read_text() == "cleaned"
    assert "Building DAG of jobs..." in Path("logs/verify/snakemake.log").read_text()


def test_the_study_is_left_as_it_was(repository):
    shutil.rmtree("data/derived/verify-x")  # of one that was killed: it goes
    kept = {p: p.read_bytes() for p in repository.rglob("*") if p.is_file()}
    assert run(changed(estimate="11")) == 1
    assert {p: p.read_bytes() for p in kept} == kept
    new = {p.relative_to(repository).as_posix() for p in repository.rglob("*") if p.is_file()}
    old = {p.relative_to(repository).as_posix() for p in kept}
    assert new - old - {"table.csv"} == {
        *("logs/verification.csv", "logs/verification.html", "logs/verification.json"),
        *("logs/verify/clean.log", "logs/verify/snakemake.log"),
    }


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "Job 1: x\nclean: data/raw/people.csv, row 2: not a number.\nError in rule clean:",
            "clean: data/raw/people.csv, row 2: not a number",
        ),
        (
            "Using workflow specific profile x.\nconfig/study.yaml: visits: missing.\nand 3 more.",
            "config/study.yaml: visits: missing",
        ),
        ("Error: cores have to be specified", "Error: cores have to be specified"),
        ("", "it ended without results"),
    ],
)
def test_a_failed_rerun_is_told_in_a_sentence_and_its_logs_are_kept(said, sentence):
    script = (
        "import os, sys; os.makedirs(sys.argv[2] + '/logs'); "
        "open(sys.argv[2] + '/logs/clean.log', 'w').write('all faults'); "
        "print(sys.argv[1], file=sys.stderr); sys.exit(1)"
    )
    with pytest.raises(StudyError) as caught:
        verify.verify(lambda folder, _: [sys.executable, "-c", script, said, str(folder)])
    assert str(caught.value) == f"the rerun failed: {sentence} (its logs: logs/verify)."
    assert Path("logs/verify/clean.log").read_text() == "all faults"
    assert Path("logs/verify/snakemake.log").read_text().strip() == said
    assert not Path("logs/verification.csv").exists()
    found = json.loads(Path("logs/verification.json").read_text())
    assert found["stopped"] == {"step": "running the study again", "sentence": str(caught.value)}
    assert found["verified"] is False
    page = Path("logs/verification.html").read_text(encoding="utf-8")
    assert "Not verified" in page
    assert f"It stopped while running the study again: {html.escape(str(caught.value))}" in page
    assert not list(Path("data/derived").glob("verify-*/logs"))
    with pytest.raises(StudyError, match=r"^the rerun failed: it ended without results"):
        verify.verify(lambda folder, _: [sys.executable, "-c", ""])


def test_a_missing_raw_file_is_named_before_anything_runs():
    Path("data/raw/people.csv").unlink()
    with pytest.raises(StudyError, match=r"^data/raw/people.csv: the raw file is missing;"):
        run(changed())
    assert not Path("logs/verify").exists()


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_the_rerun_and_removes_its_folder(asked):
    script = """if True:
        import os, sys
        from ccp_analysis.archive import compared, verification, verify
        wait = "import time; print('Job 1: waiting', flush=True); time.sleep(60)"
        verify.verify(lambda folder, _: [sys.executable, "-c", wait, str(folder)])
    """
    source = str(Path(verify.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        lines = iter(process.stdout.readline, "")
        assert any("Job 1: waiting" in line for line in lines)
        (folder,) = (f for f in Path("data/derived").glob("verify-*") if f.name != "verify-x")
        process.send_signal(asked)
        process.send_signal(asked)
        assert process.wait(timeout=30) == 128 + asked
        assert process.stderr.read() == ""
    assert not folder.exists()
    at_work = Path("/proc").glob("[0-9]*/cmdline")
    assert not [p for p in at_work if str(folder.resolve()) in _text(p)]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def test_the_command_uses_this_code_and_this_python(repository, tmp_path):
    command = verify.snakemake(tmp_path, 3)
    assert command[0] == sys.executable
    asked = dict(zip(command[4::2], command[5::2], strict=False))
    assert asked == {
        "--snakefile": str(repository / "Snakefile"),
        "--directory": str(tmp_path),
        "--cores": "3",
    }
    assert command == [*verify.snakemake(tmp_path, 3, whole=False)][:-1]
    assert verify.snakemake(tmp_path, 3, whole=False)[-1] == "reports/results.csv"
    (repository / "Snakefile").unlink()
    with pytest.raises(StudyError, match=r"Snakefile: the file is missing; the code must be used"):
        verify.snakemake(tmp_path, 1)


@pytest.mark.parametrize("fault", [False, True])
def test_the_command_line_ends_with_the_status(fault, monkeypatch, capsys, repository):
    shutil.rmtree("archived")
    for made in Path("reports").iterdir():
        if made.name != "results.csv":
            shutil.rmtree(made) if made.is_dir() else made.unlink()
    table = changed(estimate="11") if fault else changed()
    monkeypatch.setattr(verify, "snakemake", lambda folder, *_: stub(table, folder))
    assert cli.main(["verify", "--cores", "2"]) == int(fault)
    assert ("Different:" if fault else "Verified:") in capsys.readouterr().out


def test_the_command_line_says_a_fault_in_one_sentence(repository, capsys, monkeypatch):
    monkeypatch.setattr(package, "REPOSITORY", repository / "nowhere")
    assert cli.main(["verify"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("verify: ")
    assert said.count("\n") == 1


GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("study", ["connecting_people", "beat_the_blues"])
def test_a_change_of_a_millionth_of_a_standard_error_is_caught_in_every_number(study):
    """Or of a millionth of one, or of itself, where a number is measured by these."""
    table = pd.read_csv(GOLDEN / f"{study}.csv", dtype=str, keep_default_na=False)
    known = table.set_index("row").to_dict("index")
    missed, tried = [], 0
    for row in known.values():
        row["row"] = ""
        for column in NUMBERS:
            value = compared.number(row[column])
            if value is None or not math.isfinite(value) or column in KEY:
                continue
            std_error = compared.number(row["std_error"])
            own = abs(value) or 1.0
            if column in compared.IN_UNITS and std_error:
                own = std_error if math.isfinite(std_error) else own
            elif column in compared.WITHOUT_UNITS:
                own = max(own, 1.0)
            for sign in (1e-6, -1e-6):
                tried += 1
                changed_row = row | {column: repr(value + sign * own)}
                distance = compared._distance(column, row, changed_row)
                if not distance > 10 * compared.TOLERANCE:
                    missed.append((row["analysis"], row["term"], column, row[column]))
    assert tried > 5_000
    assert missed == []


def with_reports(change: dict[str, str] | None = None) -> int:
    """Verify against reports that the rerun makes again, some of them changed."""
    shutil.copytree("reports", "archived", dirs_exist_ok=True)
    change = change or {}

    def command(folder: Path, whole: bool) -> list[str]:
        assert whole
        shutil.copytree("archived", folder / "reports")
        for name, text in change.items():
            (folder / "reports" / name).write_text(text, encoding="utf-8")
        return [sys.executable, "-c", ""]

    return verify.verify(command)


def test_every_table_figure_and_document_is_compared(capsys):
    assert with_reports() == 0
    said = capsys.readouterr().out
    found = json.loads(Path("logs/verification.json").read_text())
    number = found["reports"]["identical"]
    assert f"Comparing {number} tables, figures and documents." in said
    assert f"Tables, figures and documents: {number} identical." in said
    assert {a["name"] for a in found["reports_compared"]} >= {
        *("report.html", "report.pdf", "report.docx", "codebook.csv", "tables/flow.csv"),
        *("figures/forest.svg", "figures/forest.png", "tables.xlsx", "results.json"),
    }
    page = Path("logs/verification.html").read_text(encoding="utf-8")
    assert "All 3 results came out again." in page
    assert f"So did all {number} tables, figures and documents." in page


def test_a_file_of_the_reports_that_differs_is_named_with_both_values(capsys):
    changes = {"tables/flow.csv": "a\n2\n", "report.html": "<p>html</p>"}
    assert with_reports(changes) == 1
    assert (
        capsys.readouterr()
        .out.partition("All that was")[0]
        .endswith(
            " 1 equal, 1 different.\n  tables/flow.csv is different: line 2, a: 1, 2 in the rerun\n"
        )
    )
    page = Path("logs/verification.html").read_text(encoding="utf-8")
    assert "tables, figures and documents 1 did not" in page
    assert with_reports({"report.pdf": "other"}) == 1
    assert "report.pdf is different: the file: cannot be read as pdf" in capsys.readouterr().out


def test_a_missing_file_is_on_one_side_and_a_packed_fault_is_on_the_page():
    shutil.copytree("reports", "archived", dirs_exist_ok=True)
    Path("archived/tables/flow.csv").unlink()
    found = verification.Verification(listed=9, faults=["archived/tables/flow.csv: missing"])

    def command(folder: Path, _: bool) -> list[str]:
        shutil.copytree("reports", folder / "reports")
        return [sys.executable, "-c", ""]

    assert verify.verify(command, found=found) == 1
    assert [a.comparison for a in found.different_files] == ["only in rerun"]
    page = Path("logs/verification.html").read_text(encoding="utf-8")
    assert '<th scope="row">archived/tables/flow.csv</th><td>missing</td>' in page
    assert '<th scope="row">tables/flow.csv</th><td>only in rerun</td>' in page
    assert "1 of its files are not as packed." in page
    assert "SYNTHETIC DATA" in page
