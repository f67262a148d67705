"""Would a wrong analysis be noticed? A hundred seeded faults of code and data, one at a time.

A reduced copy of the Connecting People study is run once. Then each fault is made in a copy of the
code, the configuration or the raw data; what depends on it is run again, and its results are
compared as ``verify`` compares them, row by row. A fault counts as caught

- by the run: it stops with a sentence or fails, or sees that a file is not as it was written;
- by verify: a row is different, or on one side only;
- by tests: one of those that name what was changed fails, and does not without the fault
  (``--tests``, for those left over).

The checksums of an archive, which name every changed file, are left out: they would catch all.
First comes a control: all code is written anew from its syntax tree, as that of a fault is, without
a fault. Nothing may be different then.

    PYTHONPATH=src:tests:benchmarks python benchmarks/mutants.py [--only N ...] [--tests]
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import importlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from faults import DERIVED, small_study

ROOT = Path(__file__).parents[1]
CODE, OF_DATA = 60, 40
ROOMS = ("analyses", "cleaning", "confounding", "economics", "imputation", "implementation")
ROOMS += ("models", "results")
SEED = 20261129
PATIENCE = 900  # seconds: who has not ended by then is called caught
LIBRARIES = ("formulaic", "linearmodels", "openpyxl", "pyarrow.parquet", "pydantic", "scipy.stats")
LIBRARIES += ("statsmodels.api", "yaml", "pytest")
DECISIONS = """\
file,row,participant,column,raw_value,action,value,who,when,why
"""
OPPOSITE: dict[type[ast.AST], Callable[[], ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutant:
    """One fault: a file of the code or of the study, and what is done to its text."""

    name: str
    file: str
    change: Callable[[Path], None]
    of_code: bool = False


# --- faults of code -------------------------------------------------------------------------------


def sites(tree: ast.Module, ran: set[int]) -> Iterator[tuple[ast.AST, str]]:
    """Yield the places that can be changed, in functions that the run called."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.body[0].lineno:
            first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
            if first not in ran:
                continue
            for node in (n for part in function.body for n in ast.walk(part)):
                if isinstance(node, ast.BinOp) and type(node.op) in OPPOSITE:
                    yield node, "sign" if isinstance(node.op, ast.Add | ast.Sub) else "operator"
                elif isinstance(node, ast.Compare) and type(node.ops[0]) in OPPOSITE:
                    yield node, "comparison"
                elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
                    yield node, "sign" if isinstance(node.op, ast.USub) else "negation"
                elif isinstance(node, ast.Constant) and type(node.value) is int:
                    yield node, "off by one"


def mutate(text: str, node: ast.AST) -> str:
    """Return the source with one place of it changed."""
    tree = ast.parse(text)
    same = next(
        other
        for other in ast.walk(tree)
        if type(other) is type(node)
        and (getattr(other, "lineno", 0), getattr(other, "col_offset", 0))
        == (node.lineno, node.col_offset)  # type: ignore[attr-defined]
        and getattr(other, "end_col_offset", 0) == node.end_col_offset  # type: ignore[attr-defined]
    )
    if isinstance(same, ast.BinOp):
        same.op = OPPOSITE[type(same.op)]()  # type: ignore[assignment]
    elif isinstance(same, ast.Compare):
        same.ops[0] = OPPOSITE[type(same.ops[0])]()  # type: ignore[assignment]
    elif isinstance(same, ast.UnaryOp):
        same.op = ast.UAdd()
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            same.op = ast.Not()
            same.operand = ast.UnaryOp(ast.Not(), same.operand)
    elif isinstance(same, ast.Constant):
        same.value += 1  # type: ignore[operator]
    return ast.unparse(ast.fix_missing_locations(tree))


def of_code(called: dict[str, list[int]]) -> list[Mutant]:
    """Return seeded faults of the code that the run used."""
    found: dict[str, list[tuple[str, ast.AST, str]]] = {}
    for file, lines in sorted(called.items()):
        room = Path(file).parts[2] if len(Path(file).parts) > 3 else ""
        if room in ROOMS:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            places = [(file, node, kind) for node, kind in sites(tree, {*lines})]
            found.setdefault(room, []).extend(places)
    mutants, taken = [], set[ast.AST]()
    for number in range(CODE):
        room = sorted(found)[number % len(found)]
        chance = random.Random(f"{SEED} {number}")
        # Kinds alike, or most would be constants.
        kinds = sorted({kind for *_, kind in found[room]})
        kind = kinds[chance.randrange(len(kinds))]
        places = [place for place in found[room] if place[2] == kind]
        file, node, _ = chance.choice(places)
        if node in taken:
            others = [place for place in found[room] if place[1] not in taken]
            file, node, kind = chance.choice(others)
        taken.add(node)

        def change(path: Path, node: ast.AST = node) -> None:
            path.write_text(mutate(path.read_text(encoding="utf-8"), node), encoding="utf-8")

        where = f"{file}, line {node.lineno}"  # type: ignore[attr-defined]
        where += f", of {' '.join(ast.unparse(node).split())[:60]}"
        mutants.append(Mutant(f"{kind}: {where}", file, change, of_code=True))
    return mutants


# --- faults of data and configuration -------------------------------------------------------------


def rows(drop: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        drop(table).to_csv(path, index=False, lineterminator="\n")

    return change


def words(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert re.search(old, text, re.MULTILINE), (path, old)
        path.write_text(re.sub(old, new, text, count=1, flags=re.MULTILINE), encoding="utf-8")

    return change


def arms_of(trust: str) -> Callable[[Path], None]:
    """Swap the arms of the two teams of a Trust."""
    other = {"intervention": "control", "control": "intervention"}

    def swapped(table: pd.DataFrame) -> pd.DataFrame:
        own = table["trust"] == trust
        return table.assign(arm=table["arm"].where(~own, table["arm"].map(other)))

    return rows(swapped)


def without(team: str) -> Callable[[Path], None]:
    """Let nobody of a team have been recruited: their other rows go too."""

    def change(path: Path) -> None:
        people = pd.read_csv(path, dtype=str, keep_default_na=False)
        lost = set(people.loc[people["team"] == team, "participant"])
        for file in sorted(path.parent.glob("*.csv")):
            table = pd.read_csv(file, dtype=str, keep_default_na=False)
            if "participant" in table:
                kept = table[~table["participant"].isin(lost)]
                kept.to_csv(file, index=False, lineterminator="\n")

    return change


def negated(column: str) -> Callable[[Path], None]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        top = pd.to_numeric(table[column], errors="coerce").max()
        turned = pd.to_numeric(table[column], errors="coerce").rsub(top)
        return table.assign(**{column: turned.astype("Int64").astype(str).replace("<NA>", "")})

    return rows(change)


def stale(path: Path) -> None:
    """Put back what an earlier run, of another seed, had written, with an old date."""
    table = pd.read_parquet(path) if path.suffix == ".parquet" else None
    if table is not None:
        number = next(name for name in table if table[name].dtype == float)
        table[number] = table[number] * 1.01
        table.to_parquet(path, index=False)
    else:
        path.write_bytes(path.read_bytes().replace(b"1", b"2", 3))
    os.utime(path, (946684800, 946684800))


def of_data() -> list[Mutant]:
    """Return seeded faults of raw data, configuration and intermediate files."""
    chance = random.Random(SEED)
    raw, config = "data/raw", "config"
    found = [
        Mutant(f"arms swapped in {trust}", f"{raw}/teams.csv", arms_of(trust))
        for trust in ("trust_a", "trust_b", "trust_c", "trust_d", "trust_e")
    ]
    found += [
        Mutant(f"cluster dropped: T{number:02}", f"{raw}/recruitment.csv", without(f"T{number:02}"))
        for number in range(1, 11)
    ]
    found += [
        Mutant(f"decision ignored: {line + 1}", f"{config}/decisions.csv", rows(leave(line)))
        for line in range(5)
    ]
    for item in chance.sample([f"rgu_{n:02}" for n in range(1, 28)], 3):
        found.append(Mutant(f"sign: {item} turned", f"{raw}/followup.csv", negated(item)))
    for item in chance.sample([f"qpr_{n:02}" for n in range(1, 16)], 2):
        found.append(Mutant(f"sign: {item} turned", f"{raw}/baseline.csv", negated(item)))
    study, plan, money = (f"{config}/{name}.yaml" for name in ("study", "analysis", "economics"))
    edits = [
        ("arms swapped: reference", study, r"reference: control", "reference: intervention"),
        ("visit off by one: months", study, r"months: 6,", "months: 7,"),
        ("visit off by one: analysis", plan, r"visit: month6", "visit: baseline"),
        ("seed", plan, r"seed: \d+", "seed: 1"),
        ("level", plan, r"confidence_level: 0.95", "confidence_level: 0.9"),
        ("covariate", plan, r"^- years_in_contact\n", ""),
        ("delta", plan, r"\n *- -3\n", "\n"),
        ("price year", money, r"price_year: 2020", "price_year: 2019"),
        ("price", f"{config}/unit_costs.csv", r"su_gp,contact,(\d+)", r"su_gp,contact,9\1"),
        ("range of a score", f"{config}/instruments.yaml", r"score: sum", "score: mean"),
    ]
    found += [Mutant(name, file, words(old, new)) for name, file, old, new in edits]
    made = ("participants.parquet", "imputed.parquet", "results/ancova.parquet", "costs.parquet")
    found += [Mutant(f"stale file: {name}", f"{DERIVED}/{name}", stale) for name in made]
    found.append(Mutant("stale file: flow.json", f"{DERIVED}/flow.json", stale))
    assert len(found) == OF_DATA, len(found)
    return found


def leave(line: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.drop(index=line)


def decide(folder: Path) -> None:
    """Misspell five answers to the primary outcome, and decide what they were."""
    path = folder / "data/raw/followup.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    text = DECISIONS
    for line in range(5):
        item = f"rgu_{3 + 4 * line:02}"
        row = table.index[table[item] != ""][3 + 7 * line]
        text += f"followup.csv,,{table.at[row, 'participant']},{item},8,correct,"
        text += f"{table.at[row, item]},A. B.,2020-01-01,form seen again\n"
        table.at[row, item] = "8"
    table.to_csv(path, index=False, lineterminator="\n")
    (folder / "config/decisions.csv").write_text(text, encoding="utf-8")


# --- running --------------------------------------------------------------------------------------


# The quick ones first: what is different there need not be looked for in the others.
STEPS = (
    "clean",
    "cost",
    "impute",
    "describe",
    "analyse",
    "check",
    "balance",
    "expose",
    "implement",
)
STEPS += ("evaluate", "sensitivity", "next_study", "characterise_batch", "characterise", "results")


def outputs(folder: Path) -> dict[str, str]:
    """Return the checksums of what the steps wrote."""
    paths = [*(folder / DERIVED).rglob("*"), folder / "reports/results.csv"]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file() and ".sha256" not in path.parts
    }


def steps(touched: set[str], code: set[str]) -> str:
    """Run again what hangs on what was changed; return what was different, or nothing."""
    from support.study import StudyFolder

    from ccp_analysis import before, mended, provenance
    from ccp_analysis.archive.compared import FINE, compare
    from ccp_analysis.config.trial import Trial, configuration_files

    if altered := mended.set_aside():
        return f"run: {altered[0]}"
    if faults := before.faults(Trial()):
        return f"run: {faults[0]}"
    folder, old = StudyFolder(Path()), outputs(Path())
    tables = {name: as_text(Path(name)) for name in old}
    read, changed = configuration_files(), False
    plan = Trial().plan
    for step in STEPS:
        modules = provenance.modules_of(step)
        own = {path.relative_to(provenance.PACKAGE).as_posix() for path in modules}
        # The study's own file counts for all; what an earlier step wrote, for those after it.
        own_config = {*read[step], "config/study.yaml", "config/economics.yaml"}
        if not (changed or own & code or own_config & touched or step == "clean" and touched):
            continue
        jobs = {
            "analyse": [analysis.id for analysis in plan.analyses],
            "check": plan.checks,
            "characterise_batch": [str(k) for _, k in plan.characteristics.batches("quick")],
        }
        for name in jobs.get(step, [""]):
            folder.run(step, name)
        new = outputs(Path())
        others = [name for name in new if new[name] != old.get(name)]
        changed = changed or bool(others)
        for name in others:
            before_it, after = tables.get(name), as_text(Path(name))
            if before_it is None or after is None:
                continue
            found = compare(before_it, after)
            if count := int((~found["comparison"].isin(FINE)).sum()):
                return f"verify: {count} of {len(found)} rows of {name}"
    return ""


def as_text(path: Path) -> pd.DataFrame | None:
    """Return a results table, or a part of it, as it stands in ``results.csv``."""
    if path.parent.name == "results" and path.suffix == ".parquet":
        text = io.StringIO(pd.read_parquet(path).to_csv(index=False))
        return pd.read_csv(text, dtype=str, keep_default_na=False)
    if path.name == "results.csv":
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    return None


def in_child(work: Callable[[], str]) -> str:
    """Call a function in a process of its own that has the libraries loaded, but not our code."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        signal.alarm(PATIENCE)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                said = work()
            except Exception as error:  # noqa: BLE001 - whatever a fault does is what is asked
                said = f"run: {type(error).__name__}: {error}"
        os.write(write, said.encode()[:60_000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return said if not status else f"run: ended with {status}"


def first_run(folder: Path, calls: Path) -> str:
    """Run the study, and note which functions were called."""
    called: dict[str, set[int]] = {}
    package = str(Path.cwd() / "src/ccp_analysis")

    def note(frame: object, event: str, _: object) -> None:
        code = frame.f_code  # type: ignore[attr-defined]
        if event == "call" and code.co_filename.startswith(package):
            called.setdefault(code.co_filename, set()).add(code.co_firstlineno)

    from support.study import StudyFolder

    os.chdir(folder)
    for name in ("results", "figure_data"):
        (Path(DERIVED) / name).mkdir(parents=True)
    sys.setprofile(note)
    StudyFolder(Path()).all_results()
    sys.setprofile(None)
    top = Path(package).parents[1]
    listed = {str(Path(n).relative_to(top)): sorted(lines) for n, lines in called.items()}
    calls.write_text(json.dumps(listed))
    return "done"


def tried(mutant: Mutant, top: Path, undisturbed: Path) -> str:
    """Make the fault, run, and unmake it."""
    folder = top / "study"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(undisturbed, folder)
    path = (top if mutant.of_code else folder) / mutant.file
    before, dates = path.read_bytes(), path.stat()
    mutant.change(path)
    if path.read_bytes() == before:
        return "run: nothing was changed"
    name = mutant.file.removeprefix("src/ccp_analysis/")

    def work() -> str:
        os.chdir(folder)
        touched = set() if mutant.of_code else {mutant.file}
        return steps(touched, {name} if mutant.of_code else set())

    try:
        return in_child(work)
    finally:
        path.write_bytes(before)
        os.utime(path, (dates.st_atime, dates.st_mtime))


def by_tests(mutant: Mutant, top: Path) -> str:
    """Run the tests that name the changed module, or a function of it, until one fails."""
    module = Path(mutant.file).with_suffix("").as_posix().removeprefix("src/").replace("/", ".")
    parent, _, last = module.rpartition(".")
    named = re.compile(rf"{re.escape(module)}\b|from {re.escape(parent)} import .*\b{last}\b")
    tests = [p for p in sorted((ROOT / "tests").rglob("test_*.py")) if named.search(p.read_text())]
    if not tests:
        return ""
    path = top / mutant.file
    before = path.read_bytes()
    try:
        mutant.change(path)
        ours = [str(top / test.relative_to(ROOT)) for test in tests]
        failed = first_failed(top, ours, "not study") or first_failed(top, ours, "study")
        path.write_text(unparsed(before.decode()), encoding="utf-8")
        return f"tests: {failed}" if failed and not first_failed(top, [failed]) else ""
    finally:
        path.write_bytes(before)


def first_failed(top: Path, tests: list[str], kind: str = "") -> str:
    """Run tests of a kind until one fails; return its name."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += ["-m", f"not pipeline and not simulation{f' and {kind}' * bool(kind)}", *tests]
    done = subprocess.run(command, cwd=top, capture_output=True, text=True, check=False)
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", done.stdout, re.MULTILINE)
    return failed[1] if failed else ""


def unparsed(text: str) -> str:
    return ast.unparse(ast.parse(text))


def control(top: Path, undisturbed: Path) -> str:
    """Run all steps again by code without a fault, written anew from its syntax tree."""
    folder, code = top / "study", top / "src/ccp_analysis"
    shutil.copytree(undisturbed, folder)
    before = {path: path.read_bytes() for path in code.rglob("*.py")}
    for path, text in before.items():
        path.write_text(unparsed(text.decode()), encoding="utf-8")

    def work() -> str:
        os.chdir(folder)
        return steps(set(), {path.relative_to(code).as_posix() for path in before})

    try:
        return in_child(work)
    finally:
        for path, content in before.items():
            path.write_bytes(content)


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--only", type=int, nargs="*", help="numbers of faults")
    options.add_argument("--shard", type=int, nargs=2, default=(0, 1), help="which of how many")
    options.add_argument("--tests", action="store_true", help="try tests on what is left over")
    given = options.parse_args()
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as name:
        top, undisturbed = Path(name) / "code", Path(name) / "undisturbed"
        parts = ("src", "tests", "config", "data/raw", "examples", "tools", "benchmarks", "docs")
        for part in parts:
            shutil.copytree(ROOT / part, top / part, ignore=shutil.ignore_patterns("derived"))
        files = ("Snakefile", "Makefile", "requirements.lock", "environment.yml", "pyproject.toml")
        for part in files:
            shutil.copy(ROOT / part, top / part)
        small_study(undisturbed)
        words("form: full", "form: quick")(undisturbed / "config/analysis.yaml")
        decide(undisturbed)
        for module in [m for m in sys.modules if m.partition(".")[0] == "ccp_analysis"]:
            del sys.modules[module]  # ours are loaded by each process for itself
        for library in LIBRARIES:
            importlib.import_module(library)
        sys.path[:] = [p for p in sys.path if not p.startswith(str(ROOT / "src"))]
        sys.path[:0] = [str(top / "src"), str(top / "tests")]
        os.chdir(top)
        calls = Path(name) / "calls.json"
        said = in_child(lambda: first_run(undisturbed, calls))
        if said != "done":
            sys.exit(said)
        if said := control(top, undisturbed):
            sys.exit(f"The control is different without a fault: {said}")
        print(
            "  0 control: all code written anew without a fault | nothing is different", flush=True
        )
        mutants = of_code(json.loads(calls.read_text())) + of_data()
        count: Counter[str] = Counter()
        left = []
        for number, mutant in enumerate(mutants, start=1):
            shard, shards = given.shard
            if number % shards != shard or (given.only and number not in given.only):
                continue
            said = tried(mutant, top, undisturbed)
            if not said and given.tests and mutant.of_code:
                said = by_tests(mutant, top)
            count[said.partition(":")[0] or "nothing"] += 1
            left += [] if said else [mutant.name]
            short = " ".join(said.split())[:150] or "SURVIVED"
            print(f"{number:3} {mutant.name} | {short}", flush=True)
    every = sum(count.values())
    print(f"\nCaught {every - count['nothing']} of {every}: {dict(count)}")
    print(*(f"left over: {name}" for name in left), sep="\n")
    return int(count["nothing"] > 5)


if __name__ == "__main__":
    sys.exit(main())
