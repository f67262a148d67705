"""Drawn studies on a SLURM cluster of one node: the same bytes as on one core, also after a kill.

Starts munge and SLURM on the loopback device, as the user who calls it and with nothing outside of
a temporary folder, and stops them in the end. They are Debian's:

    apt-get install --no-install-recommends slurm-wlm munge
    PYTHONPATH=src python benchmarks/slurm.py [--draws 400] [--batch 100] [--whole]

A copy of the shipped study (fewer imputations) is cleaned and imputed on this machine. Its studies
are drawn, batch by batch, on one core here; by `profiles/slurm` on the cluster; and there once
more, where the first batch that runs is cancelled. With `--whole` the shipped study as it is runs
from raw data to the report, here and on the cluster. Exit status 1 where a run fails or a byte
differs.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from textwrap import indent

ROOT = Path(__file__).parents[1]
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
PATH = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
BEFORE = ["data/derived/imputed.parquet"]
AFTER = ["data/derived/results/characteristics.parquet"]
PATIENCE = 60

CONF = """
ClusterName=one
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=3600
ReturnToService=2
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_ports() -> list[int]:
    """Return two ports of the loopback device at which nothing listens."""
    with contextlib.ExitStack() as stack:
        listening = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in listening:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in listening]


def configured(folder: Path, cores: int) -> dict[str, str]:
    """Write what the daemons read; return the environment of whoever uses the cluster."""
    for name in ("munge", "state", "spool", "bin"):
        (folder / name).mkdir(mode=0o755)
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(128))
    controller, node = free_ports()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    conf = folder / "slurm.conf"
    conf.write_text(
        CONF.format(
            folder=folder, controller=controller, node=node, user=getpass.getuser(),
            host=socket.gethostname().split(".")[0], cores=cores, memory=memory,
        )
    )  # fmt: skip
    # The plugin's job step takes SLURM_CONF out of the environment, which leads to this file.
    wrapper = folder / "bin/srun"
    wrapper.write_text(
        f'#!/bin/sh\nSLURM_CONF={conf} exec {shutil.which("srun", path=PATH)} "$@"\n'
    )
    wrapper.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return environment | {"SLURM_CONF": str(conf), "PATH": f"{folder}/bin{os.pathsep}{PATH}"}


@contextlib.contextmanager
def cluster(folder: Path, cores: int) -> Iterator[dict[str, str]]:
    """Run a cluster of one node; give the environment in which it is used."""
    environment = configured(folder, cores)
    munge = folder / "munge"
    daemons = [
        ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key",
         f"--socket={munge}/socket", f"--pid-file={munge}/pid", f"--log-file={munge}/log",
         f"--seed-file={munge}/seed"],
        ["slurmctld", "-D"],
        ["slurmd", "-D"],
    ]  # fmt: skip
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in daemons:
            with (folder / f"{command[0]}.said").open("wb") as said:
                started.append(subprocess.Popen(command, env=environment, stdout=said, stderr=said))
            time.sleep(1)
        until = time.monotonic() + PATIENCE
        while "idle" not in asked(environment, "sinfo", "--noheader", "--format=%T"):
            if time.monotonic() > until or any(each.poll() is not None for each in started):
                logs = [*folder.glob("*.said"), *folder.glob("slurm*.log")]
                sys.exit("SLURM did not start:\n" + "\n".join(log.read_text() for log in logs))
            time.sleep(1)
        yield environment
    finally:
        asked(environment, "scancel", f"--user={getpass.getuser()}")
        until = time.monotonic() + PATIENCE
        while asked(environment, "squeue", "--noheader") and time.monotonic() < until:
            time.sleep(1)
        for each in reversed(started):
            each.terminate()
        for each in reversed(started):
            each.wait()


def asked(environment: dict[str, str], *command: str) -> str:
    """Return what a command of SLURM prints."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout


def snakemake(folder: Path, targets: list[str], *options: str) -> list[str]:
    program = str(Path(sys.executable).parent / "snakemake")
    where = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    return [program, *where, *options, "--", *targets]


def on_cluster(folder: Path, targets: list[str], cores: int) -> list[str]:
    """Return the command that makes files of a folder on the cluster, as users would."""
    options = ["--workflow-profile", str(ROOT / "profiles/slurm")]
    # A job that asks for more cores than a node has waits for ever.
    options += [f"--max-threads={cores}"]
    # A cluster without accounts, and no long wait for jobs of seconds.
    options += ["--slurm-status-command=squeue", "--slurm-init-seconds-before-status-checks=5"]
    return snakemake(folder, targets, *options)


def copied(folder: Path, draws: int, batch: int) -> None:
    """Copy the shipped study, with few imputations and drawn studies."""
    for part in ("config", "data/raw"):
        shutil.copytree(ROOT / part, folder / part)
    path = folder / "config/analysis.yaml"
    text = path.read_text()
    for old, new in (
        ("imputations: 50", "imputations: 5"),
        ("iterations: 20", "iterations: 5"),
        ("quick: 2000", f"quick: {draws}\n  batch: {batch}"),
    ):
        if old not in text:
            sys.exit(f"{path}: '{old}' was expected.")
        text = text.replace(old, new)
    path.write_text(text)


def digests(folder: Path, *patterns: str) -> dict[str, str]:
    """Return the SHA-256 of files, by default of what was drawn and what that was gathered to."""
    every = patterns or ("data/derived/characteristics/quick/*.parquet", *AFTER)
    paths = [path for one in every for path in sorted(folder.glob(one)) if path.is_file()]
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in paths}


def run(command: list[str], environment: dict[str, str], log: Path) -> float:
    """Run to the end; return seconds."""
    start = time.monotonic()
    with log.open("w") as said:
        code = subprocess.run(command, env=environment, stdout=said, stderr=said, check=False)
    if code.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{log.read_text()}")
    return time.monotonic() - start


def run_and_cancel(command: list[str], environment: dict[str, str], log: Path) -> str:
    """Run to the end, and cancel the first job that is seen at work; return its number."""
    with log.open("w") as said:
        child = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        running = ""
        while not running and child.poll() is None:
            time.sleep(1)
            names = ("squeue", "--noheader", "--states=RUNNING", "--format=%i")
            running = asked(environment, *names).strip().partition("\n")[0]
        asked(environment, "scancel", running)
        code = child.wait()
    ended = ("squeue", "--noheader", "--states=all", f"--jobs={running}", "--format=%T")
    if code or asked(environment, *ended).strip() != "CANCELLED":
        sys.exit(
            f"The run of which job {running} was cancelled ended with {code}:\n{log.read_text()}"
        )
    return running


def whole(base: Path, cores: int) -> int:
    """Run the shipped study here and on the cluster; print times, jobs, and what differs."""
    here, there = base / "here", base / "there"
    for folder in (here, there):
        for part in ("config", "data/raw"):
            shutil.copytree(ROOT / part, folder / part)
    (base / "slurm").mkdir(mode=0o755)
    with cluster(base / "slurm", cores) as environment:
        seconds = run(snakemake(here, [], "--cores", str(cores)), environment, base / "here.log")
        print(f"Without SLURM, {cores} cores: {seconds:.0f} s.\n", flush=True)
        seconds = run(on_cluster(there, [], cores), environment, base / "there.log")
        version = asked(environment, "sinfo", "--version").strip()
        listed = ("squeue", "--noheader", "--states=all", "--format=%T")
        states = asked(environment, *listed).split()
    print(f"{version}, one node: {seconds:.0f} s; {len(states)} jobs, all {set(states)}.\n")
    one, other = (digests(at, "reports/**/*", "data/derived/**/*") for at in (here, there))
    differ = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    print(f"{len(one)} files of reports/ and data/derived/: {len(differ)} differ. {differ}")
    return int(bool(differ))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--whole", action="store_true", help="the shipped study as it is")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    # Whoever stops this stops the cluster too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    lacking = [name for name in NEEDED if not shutil.which(name, path=PATH)]
    if lacking:
        print(f"Nothing was tried: there is no {', '.join(lacking)} here (slurm-wlm and munge).")
        return 0
    with tempfile.TemporaryDirectory(prefix="one_node_") as temporary:
        base = Path(temporary)
        base.chmod(0o755)
        if given.whole:
            return whole(base, given.cores)
        here, there, cancelled = (base / name for name in ("here", "there", "cancelled"))
        copied(here, given.draws, given.batch)
        (base / "slurm").mkdir(mode=0o755)
        with cluster(base / "slurm", given.cores) as environment:
            run(snakemake(here, BEFORE, "--cores", "1"), environment, base / "before.log")
            shutil.copytree(here, there)
            shutil.copytree(here, cancelled)
            seconds = run(snakemake(here, AFTER, "--cores", "1"), environment, base / "here.log")
            print(f"One core of this machine: {seconds:.0f} s.\n", flush=True)
            seconds = run(on_cluster(there, AFTER, given.cores), environment, base / "there.log")
            version = asked(environment, "sinfo", "--version").strip()
            print(f"{version}, one node: {seconds:.0f} s.\n", flush=True)
            number = run_and_cancel(
                on_cluster(cancelled, AFTER, given.cores), environment, base / "cancelled.log"
            )
            listed = ("squeue", "--states=all", "--sort=i", "--format=%.4i %.10T %.8m  %k")
            jobs = asked(environment, *listed)
        print(f"Job {number} was cancelled while it ran; the run went on and ended well.")
        print("\nWhat SLURM has of all jobs:\n\n" + indent(jobs, "    "))
        one, *others = (digests(folder) for folder in (here, there, cancelled))
        print("| file | SHA-256 on one core | by SLURM | by SLURM, one job cancelled |")
        print("|---|---|---|---|")
        for name, digest in one.items():
            same = ["the same" if other.get(name) == digest else "differs" for other in others]
            print(f"| {name} | {digest[:16]} | {' | '.join(same)} |")
        return int(any(other != one for other in others))


if __name__ == "__main__":
    sys.exit(main())
