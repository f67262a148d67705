"""Whether two archives of a study, made elsewhere and otherwise, are the same file.

The repository is copied to two folders, and the Connecting People study run whole and packed in
each: on one core and in universal time, and on two in Tokyo, by another locale, with files of other
dates and another mask of rights. The second archive is unpacked and verified by its own code.

    python benchmarks/same_bytes.py
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ccp_analysis.archive.pack import repository_files

ROOT = Path(__file__).parents[1]
PLACES = {
    "first": ("1", {"TZ": "UTC", "LC_ALL": "C.UTF-8"}, 0o022),
    "another place": ("2", {"TZ": "Asia/Tokyo", "LC_ALL": "POSIX", "LANG": "tr_TR"}, 0o077),
}
LARGEST = 12 * 2**20


def command(folder: Path, environment: dict[str, str], *words: str) -> str:
    """Run a program in a folder, whose own code it uses; return what it said."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHON"))}
    kept |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(folder / "src")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", *words],
        cwd=folder,
        env=kept | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} in {folder} ended with {done.returncode}: {done.stdout}")
    return done.stdout


def archive(folder: Path, cores: str, environment: dict[str, str], mask: int) -> bytes:
    """Copy the repository, run the study at its root, pack it; return the file."""
    os.umask(mask)
    for name, path in repository_files(ROOT).files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        os.utime(target, (mask * 10**7, mask * 10**7))
    started = time.perf_counter()
    command(folder, environment, "snakemake", "--cores", cores)
    took = time.perf_counter() - started
    command(folder, environment, "ccp_analysis.cli", "archive", "--out", "packed.zip")
    content = (folder / "packed.zip").read_bytes()
    told = " ".join(f"{key}={value}" for key, value in environment.items())
    print(
        f"{told}, {today(environment)}, {cores} cores, mask {mask:03o}, run in {took:.0f} s:",
        end=" ",
    )
    print(f"{len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}", flush=True)
    return content


def today(environment: dict[str, str]) -> str:
    """Return the date by the clock of a place."""
    said = subprocess.run(["date", "+%F %H:%M"], env=environment, capture_output=True, text=True)
    return said.stdout.strip()


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        one, other = (archive(top / place, *how) for place, how in PLACES.items())
        print("The same bytes." if one == other else "NOT the same bytes.", flush=True)
        shutil.unpack_archive(top / "another place/packed.zip", top / "unpacked")
        (folder,) = (top / "unpacked").iterdir()
        said = command(folder, {}, "ccp_analysis.cli", "verify", "--cores", "2")
        print("Unpacked, as `make verify` does it:")
        found = ("All ", "Verified", "Different", "Tables", "  ")
        print(*(line for line in said.splitlines() if line.startswith(found)), sep="\n")
    if len(one) > LARGEST:
        print(f"More than {LARGEST:,} bytes.")
    return int(one != other or len(one) > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
