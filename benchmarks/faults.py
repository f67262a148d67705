"""Whatever happens to a run, the next one ends with the bytes of an undisturbed one.

A copy of the Connecting People study with fewer imputations, draws and analyses, all rules among
them, is run once undisturbed. Then runs of it are

- killed 50 times, without a word (SIGKILL to all its processes), in every rule in turn;
- given files in which one byte was flipped, dates as they were: one of every kind has to be named,
  all of them at once have to be made anew, and a command has to refuse what is altered while
  a run is at work;
- let run into a full disk at ten moments (a small tmpfs; needs the rights of root);
- started twice, one while the other is at work and both at once;
- started where a folder or the disk may only be read, or a file not even that;

each followed by one that is left alone. All files of ``reports`` and ``data/derived`` are compared.

    python benchmarks/faults.py [kills] [flips] [disk] [twice] [readonly]
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from ccp_analysis import layout, mended

ROOT = Path(__file__).parents[1]
KILLS, MOMENTS = 50, 10
ANALYSES = ("ancova", "mixed", "overlap")
DRAWN = {"form": "full", "quick": 40, "draws": 40, "whole": 20, "batch": 20}
DRAWN |= {"scenarios": ["as estimated"]}
# What Snakemake says of a job of each rule but the first, which makes nothing itself.
RULES = {
    name: re.compile(re.sub(r"\\{[^}]*\\}", ".+", re.escape(message)))
    for name, message in re.findall(
        r'^rule (\w+):\n(?:(?!rule ).*\n)*?    message:\n        "(.*)"',
        (ROOT / "Snakefile").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
}
COMMAND = (
    *(sys.executable, "-P", "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
    *("--cores", "1", "--workflow-profile", "none", "--rerun-incomplete"),
    *("--", "all", str(layout.CHARACTERISTICS[1])),
)


def small_study(folder: Path) -> None:
    """Copy the study, so reduced that a run of all rules takes a minute."""
    for part in ("config", "data/raw"):
        shutil.copytree(ROOT / part, folder / part)
    plan_file, money = folder / "config/analysis.yaml", folder / "config/economics.yaml"
    plan = yaml.safe_load(plan_file.read_text(encoding="utf-8"))
    plan["imputation"] |= {"imputations": 2, "iterations": 3}
    plan["analyses"] = [entry for entry in plan["analyses"] if entry["id"] in ANALYSES]
    plan["checks"] = ["ancova"]
    plan["characteristics"] = DRAWN
    plan_file.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    text = money.read_text(encoding="utf-8")
    money.write_text(text.replace("draws: 5000", "draws: 500"), encoding="utf-8")


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "OPENBLAS_NUM_THREADS": "1"
    }


def start(folder: Path, *before: str, **how: Any) -> subprocess.Popen[str]:
    """Start a run of the study."""
    return subprocess.Popen(
        [*before, *COMMAND],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **how,
    )


def run(folder: Path, *before: str) -> tuple[int, str]:
    """Run the study; return the exit status and what was said."""
    unlock(folder)
    with start(folder, *before) as process:
        said = process.communicate()[0]
    return process.returncode, said


def unlock(folder: Path) -> None:
    """Remove the locks of a run that is no more, as ``make run`` has Snakemake do."""
    for lock in (folder / ".snakemake/locks").glob("*"):
        lock.unlink()


def made(folder: Path) -> dict[str, bytes]:
    """Return the content of all that a run makes."""
    paths = (path for part in ("reports", "data/derived") for path in (folder / part).rglob("*"))
    aside = folder / mended.ALTERED
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(paths)
        if path.is_file() and not path.is_relative_to(aside)
    }


def same(folder: Path, undisturbed: dict[str, bytes]) -> list[str]:
    """Run what is left and return the files that are not those of the undisturbed run."""
    status, said = run(folder)
    if status:
        return [f"the run failed: {said[-2000:]}"]
    found = made(folder)
    names = sorted(found.keys() | undisturbed.keys())
    return [name for name in names if found.get(name) != undisturbed.get(name)]


def killed(folder: Path, spared: set[str], share: float, took: dict[str, float]) -> str:
    """Kill a run within the first job of a rule that is not spared; return the rule.

    Empty where the run came to its end.
    """
    unlock(folder)
    process = start(folder, start_new_session=True)
    rule = ""
    assert process.stdout is not None
    for line in process.stdout:
        if (name := rule_of(line)) and name not in spared:
            time.sleep(share * took[name])
            rule = name if process.poll() is None else ""
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # It may have come on to the next job in the meantime.
    last = [name for name in map(rule_of, process.communicate()[0].splitlines()) if name]
    return last[-1] if rule and last else rule


def rule_of(line: str) -> str:
    """Return the rule of a job that begins, by what Snakemake says of it."""
    said = re.match(r"Job \d+: (.*)", line)
    return next((name for name in RULES if said and RULES[name].fullmatch(said[1])), "")


def durations(folder: Path) -> dict[str, float]:
    """Run a study undisturbed, job by job; return how long each rule takes."""
    small_study(folder)
    took, rule, began = {}, "", time.perf_counter()
    with start(folder) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if name := rule_of(line):
                took[rule], rule, began = time.perf_counter() - began, name, time.perf_counter()
        took[rule] = time.perf_counter() - began
    if process.returncode:
        sys.exit("".join(said))
    return took


def kills(folder: Path, undisturbed: dict[str, bytes], chance: random.Random) -> list[str]:
    """Kill runs in every rule; each goes on from where the one before was killed.

    Once every rule was, the run comes to its end and is compared, and another one begins.
    """
    count, faults = dict.fromkeys(RULES, 0), list[str]()
    for rounds in range(1, KILLS):
        small_study(folder)
        while sum(count.values()) < KILLS:
            spared = {name for name, n in count.items() if n >= rounds}
            if not (rule := killed(folder, spared, chance.uniform(0, 0.9), TOOK)):
                break
            count[rule] += 1
        found = same(folder, undisturbed)
        total = sum(count.values())
        print(f"Killed {total} times by the end of round {rounds}: {len(found)} files differ.")
        faults += found
        if total == KILLS:
            break
        shutil.rmtree(folder)
    print(", ".join(f"{name} {n}" for name, n in count.items()))
    return faults + [f"no run was killed in {name}" for name, n in count.items() if not n]


TOOK: dict[str, float] = {}


def flip(path: Path, chance: random.Random) -> None:
    """Flip one bit and leave the dates as they were."""
    dates, content = path.stat(), bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    os.utime(path, (dates.st_atime, dates.st_mtime))


def flips(folder: Path, undisturbed: dict[str, bytes], chance: random.Random) -> list[str]:
    """Flip a byte of files of every kind by themselves, at once, and during a run."""
    faults = []
    every = [name for name in undisturbed if "/." not in name]
    # One of each kind in each folder, and each file that stands by itself.
    kinds = {(str(Path(name).parent), Path(name).suffix): name for name in every}
    names = sorted({*kinds.values(), *(n for n in every if str(Path(n).parent) == DERIVED)})
    with contextlib.chdir(folder):
        for name in names:
            flip(Path(name), chance)
            said = mended.set_aside()
            if [line.partition(":")[0] for line in said] != [name]:
                faults.append(f"{name}: not named, but {said}")
            shutil.rmtree(mended.ALTERED, ignore_errors=True)
            for other, content in undisturbed.items():  # a folder is set aside as a whole
                if not Path(other).is_file():
                    Path(other).parent.mkdir(parents=True, exist_ok=True)
                    Path(other).write_bytes(content)
            Path(name).write_bytes(undisturbed[name])
    print(f"Flipped a byte in {len(names)} files, one at a time: {len(names) - len(faults)} named.")
    for kind, command in READS.items():
        name = next(n for n in command if n.startswith("data/derived"))
        flip(folder / name, chance)
        status, said = command_in(folder, command)
        if status != 1 or "was changed after it was written" not in said:
            faults.append(f"{name}: read by a command, which said: {said[-300:]}")
        (folder / name).write_bytes(undisturbed[name])
        print(f"Flipped in a file of kind {kind} during a run: {said.strip().splitlines()[-1]}")
    for name in kinds.values():
        flip(folder / name, chance)
    found = same(folder, undisturbed)
    print(f"Flipped one of each of {len(kinds)} kinds at once: {len(found)} files differ after.")
    return faults + found


DERIVED = "data/derived"
READS = {
    "parquet": ("analyse", "--analysis", "ancova", "--imputed", f"{DERIVED}/imputed.parquet")
    + ("--results", "/dev/null"),
    "json": ("results", "--parts", "config/none", "--flow", f"{DERIVED}/flow.json", "--out", "x"),
    "md": ("report", "--text", f"{DERIVED}/report.md", "--origins", f"{DERIVED}/origins.json")
    + ("--figures", "reports/figures", "--html", "x", "--docx", "x", "--pdf", "x")
    + ("--results", "x"),
}


def command_in(folder: Path, command: tuple[str, ...]) -> tuple[int, str]:
    """Run a command of the program by hand."""
    parts = [str(p.relative_to(folder)) for p in sorted((folder / DERIVED / "results").iterdir())]
    options = [word for part in command for word in (parts if part == "config/none" else [part])]
    done = subprocess.run(
        [sys.executable, "-m", "ccp_analysis.cli", *options],
        cwd=folder,
        env=environment() | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a disk of 64 MiB that is memory; False where that is not allowed."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        print("Not tried, as no tmpfs can be mounted here (it needs the rights of root).")
        yield False
        return
    try:
        small_study(folder)
        yield True
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def disk(folder: Path, undisturbed: dict[str, bytes], chance: random.Random) -> list[str]:
    """Let runs fill a small disk at ten moments, and make a little more room each time."""
    faults, full = [], 0
    with small_disk(folder) as mounted:
        if not mounted:
            return []
        begin = used(folder)
        needed = sum(len(content) // 4096 * 4096 + 4096 for content in undisturbed.values())
        for moment in range(MOMENTS):
            resize(folder, begin + int(needed * (moment + chance.random()) / (MOMENTS + 1)))
            status, said = run(folder)
            full += status != 0
            sentence = next((line for line in said.splitlines() if FULL in line), "")
            print(f"Full disk {moment + 1}: exit {status}; {sentence.strip()[:150]}")
            if not status or not sentence or "Traceback" in said:
                faults.append(
                    f"moment {moment + 1}: exit {status} without a sentence: {said[-1500:]}"
                )
        resize(folder, begin + 4 * needed)
        found = same(folder, undisturbed)
        print(f"The disk was full {full} times; with room again {len(found)} files differ.")
        return faults + found


FULL = "make room on the disk and run it again"


def twice(folder: Path, undisturbed: dict[str, bytes], chance: random.Random) -> list[str]:
    """Start a run while another one is at work, then two at the same moment."""
    small_study(folder)
    faults = []
    first = start(folder)
    assert first.stdout is not None
    at_work = next(name for name in map(rule_of, first.stdout) if name)
    with start(folder) as second:
        said = second.communicate()[0]
    first.communicate()
    sentence = next((line for line in said.splitlines() if "cannot be locked" in line), "")
    print(f"Started during {at_work}: exit {second.returncode}; {sentence}")
    if not second.returncode or not sentence or rule_of_any(said) or first.returncode:
        faults.append(f"two runs, {first.returncode} and {second.returncode}: {said[-1500:]}")
    faults += same(folder, undisturbed)
    shutil.rmtree(folder)
    small_study(folder)
    both = [start(folder), start(folder)]
    ended = [process.communicate()[0] and process.returncode for process in both]
    found = same(folder, undisturbed)
    print(f"Started at once: exit {ended}; after the next run {len(found)} files differ.")
    return faults + found + [f"two runs at once ended with {ended}"] * (0 not in ended)


def rule_of_any(said: str) -> str:
    """Return the first rule of which a job began."""
    return next((name for name in map(rule_of, said.splitlines()) if name), "")


def readonly(folder: Path, undisturbed: dict[str, bytes], chance: random.Random) -> list[str]:
    """Start runs where something may not be written or read."""
    faults = []

    def refused(what: str, named: str, *before: str) -> None:
        status, said = run(folder, *before)
        sentence = next((line for line in said.splitlines() if named in line), "").strip()
        print(f"{what}: exit {status}; {sentence}")
        if not status or not sentence or "Traceback" in said or rule_of_any(said):
            faults.append(f"{what}: exit {status} without a sentence: {said[-1500:]}")

    with small_disk(folder) as mounted:
        if not mounted:
            return []
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        refused("A disk that may only be read", f"{folder}: ")
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        for name, rights in UNUSABLE.items():
            path = folder / name
            path.mkdir(parents=True, exist_ok=True) if not path.suffix else None
            path.chmod(rights)
            refused(f"{name} with the rights {rights:o}", name, *WITH_NO_RIGHT)
            path.chmod(0o755)
        return faults + same(folder, undisturbed)


# Root that may not read and write whatever it likes.
WITH_NO_RIGHT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
UNUSABLE = {"reports": 0o555, "data/derived": 0o555, "logs": 0o555, "data/raw/teams.csv": 0}
UNUSABLE |= {"config/study.yaml": 0, "config/analysis.yaml": 0}


def used(folder: Path) -> int:
    room = os.statvfs(folder)
    return (room.f_blocks - room.f_bfree) * room.f_frsize


def resize(folder: Path, size: int) -> None:
    size = max(size, used(folder) + 8192)
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


PARTS: dict[str, Callable[[Path, dict[str, bytes], random.Random], list[str]]] = {
    "kills": kills,
    "flips": flips,
    "disk": disk,
    "twice": twice,
    "readonly": readonly,
}


def main() -> int:
    global TOOK
    wanted = sys.argv[1:] or list(PARTS)
    with tempfile.TemporaryDirectory() as name:
        first = Path(name) / "undisturbed"
        first.mkdir()
        started = time.perf_counter()
        TOOK = durations(first)
        undisturbed = made(first)
        print(f"Undisturbed: {len(undisturbed)} files, {time.perf_counter() - started:.0f} s.")
        faults = []
        for part in wanted:
            # Files that were made stay where Snakemake knows them.
            folder = first if part == "flips" else Path(name) / part
            started = time.perf_counter()
            found = PARTS[part](folder, undisturbed, random.Random(f"20261129 {part}"))
            print(
                f"{part}: {len(found)} faults, {time.perf_counter() - started:.0f} s\n", flush=True
            )
            faults += found
    print(*faults, sep="\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
