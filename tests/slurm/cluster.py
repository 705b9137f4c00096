"""Run a real, private SLURM cluster on this machine: Debian's daemons on loopback, without systemd and cgroups.

Every daemon is a child of the process that starts the cluster, is stopped by its process id, and dies with its parent.
Nodes c1 and c2 only have processors; g1 also has two fake GPUs (device files with the numbers of /dev/null). The
partitions are cpu, gpu, and low. The partition low covers all nodes, and jobs of the others preempt its jobs.
"""

import ctypes
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "slurmdbd", "srun", "sacctmgr", "munged", "mariadbd", "mariadb-install-db")
NODES = {"c1": 0, "c2": 0, "g1": 2}
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
ALIVE = "PENDING,RUNNING,COMPLETING,SUSPENDED,CONFIGURING"

SLURM_CONF = """
ClusterName=babelgrid
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd-%n.log
PlugStackConfig={root}/plugstack.conf
MpiDefault=none
SwitchType=switch/none
# Without cgroups: the memory of jobs is polled, and the declared processors and memory need not exist.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=2,sched_min_interval=100000,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=20
MessageTimeout=10
KillWait=3
OverTimeLimit=0
MinJobAge=300
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd_port}
AccountingStorageUser=root
AccountingStoragePass={root}/munge/socket
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
{nodes}
PartitionName=DEFAULT DefMemPerCPU=500 DefaultTime=30 MaxTime=1440 State=UP
PartitionName=cpu Nodes=c1,c2 Default=YES PriorityTier=10
PartitionName=gpu Nodes=g1 PriorityTier=10
PartitionName=low Nodes=c1,c2,g1 PriorityTier=1 PreemptMode=REQUEUE
"""

SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd_port}
SlurmUser=root
LogFile={root}/log/slurmdbd.log
PidFile={root}/slurmdbd.pid
CommunicationParameters=NoInAddrAny
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""

DATABASE = """
CREATE DATABASE IF NOT EXISTS slurm_acct_db;
CREATE USER IF NOT EXISTS slurm@localhost IDENTIFIED BY 'slurm';
GRANT ALL ON slurm_acct_db.* TO slurm@localhost;
"""


def what_is_missing():
    """Return the reason why no cluster can be started here, or None."""
    if os.getuid() != 0:
        return "a private SLURM cluster needs root"
    missing = [name for name in PROGRAMS if find_program(name) is None]
    if missing:
        return f"Debian's packages slurm*, munge, mariadb-server-core are not installed (no {', '.join(missing)})"
    if not socket.gethostbyname(socket.gethostname()).startswith("127."):
        return "the host's own name is not on loopback"
    if not _may_make_devices():
        return "fake GPUs need permission to create device files"
    return None


def _may_make_devices():
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.mknod(f"{folder}/device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except OSError:
            return False
    return True


def find_program(name):
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


class Cluster:
    """A cluster whose files are under `root` (a short path, because socket paths have at most 107 characters)."""

    def __init__(self, root):
        self.root = Path(root)
        self.daemons = {}
        port, dbd_port, *node_ports = _free_ports(2 + len(NODES))
        self.names = {
            "root": root,
            "host": socket.gethostname(),
            "port": port,
            "dbd_port": dbd_port,
            "nodes": _node_lines(node_ports),
        }
        # The plugin's job step drops every SLURM_ variable before its srun, so a wrapper sets SLURM_CONF for srun.
        self.environment = {
            **os.environ,
            "SLURM_CONF": f"{root}/slurm.conf",
            "PATH": f"{root}/bin:{os.environ['PATH']}:/usr/sbin:/sbin",
        }

    def start(self):
        self._write_files()
        self._start("munged", "--foreground", *self._munge_options())
        self._until(lambda: self._succeeds("munge", "-n", "-S", f"{self.root}/munge/socket"), "munged")
        self._start_database()
        self.start_slurmdbd()
        self._run("sacctmgr", "-i", "add", "cluster", "babelgrid")
        self._run("sacctmgr", "-i", "add", "account", "test", "Description=test", "Organization=test")
        self._run("sacctmgr", "-i", "add", "user", "root", "account=test")
        self.start_slurmctld()
        for node in NODES:
            self.start_node(node)
        self._until(self.is_idle, "idle nodes")
        return self

    def stop(self):
        """Stop the daemons, newest first, and any processes that their jobs left running."""
        if "slurmctld" in self.daemons:
            self.cancel_all()
        self._kill(self.step_processes())
        for name in reversed(list(self.daemons)):
            self._stop(name)

    def start_slurmdbd(self):
        self._start("slurmdbd", "-D", MYSQL_UNIX_PORT=f"{self.root}/db/socket")
        self._until(lambda: self._succeeds("sacctmgr", "-n", "list", "cluster"), "slurmdbd")

    def stop_slurmdbd(self):
        self._stop("slurmdbd")

    def start_slurmctld(self):
        self._start("slurmctld", "-D")
        self._until(lambda: self._succeeds("scontrol", "ping"), "slurmctld")

    def stop_slurmctld(self):
        self._stop("slurmctld")

    def start_node(self, node):
        self._start(f"slurmd-{node}", "-D", "-N", node, program="slurmd")

    def crash_node(self, node):
        """Stop a node as a power cut would: kill its daemon and all processes of its jobs."""
        processes = self.step_processes(node)
        self._stop(f"slurmd-{node}", signal.SIGKILL)
        self._kill(processes)

    def reboot_node(self, node):
        """Crash a node, and start it again once SLURM has noticed the crash, as with a real reboot."""
        self.crash_node(node)
        self._until(lambda: "down" in self.output("sinfo", "-h", "-n", node, "-o", "%T"), f"crash of {node}", 120)
        self.start_node(node)

    def split_node(self, node):
        """Disconnect a node, as a network split would: its jobs continue without SLURM's knowledge."""
        self._stop(f"slurmd-{node}", signal.SIGKILL)

    def is_idle(self):
        states = dict(line.split() for line in self.output("sinfo", "-h", "-N", "-o", "%N %T").splitlines())
        return states == dict.fromkeys(NODES, "idle")

    def jobs(self, states=ALIVE):
        """Return {job id: (state, node, comment)} of the jobs in these states."""
        lines = self.output("squeue", "-h", "-t", states, "-o", "%A|%T|%N|%k").splitlines()
        return {int(job): rest for job, *rest in (line.split("|", 3) for line in lines)}

    def hasten(self):
        """Start requeued jobs now; SLURM would hold them for two minutes."""
        for job in self.jobs("PENDING"):
            self._succeeds("scontrol", "update", f"jobid={job}", "starttime=now")

    def cancel_all(self):
        jobs = map(str, self.jobs())
        self._succeeds("scancel", *jobs)
        self._until(lambda: not self.jobs(), "an empty queue")

    def output(self, *command):
        finished = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        return finished.stdout

    def step_processes(self, node="*"):
        """Return the process ids of the job steps (of a node), each slurmstepd before its descendants."""
        keepers = [pid for pid in _processes() if _is_step_keeper(pid, f"{self.root}/log/slurmd-{node}.log")]
        return [process for keeper in keepers for process in _with_descendants(keeper)]

    def _write_files(self):
        for folder in ("munge", "state", "spool", "log", "db", "bin", "gpu", *(f"spool/{node}" for node in NODES)):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o755)
        (self.root / "munge").chmod(0o755)
        key = self.root / "munge/key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._write("slurm.conf", SLURM_CONF)
        self._write("slurmdbd.conf", SLURMDBD_CONF).chmod(0o600)
        self._write("plugstack.conf", "")
        self._write("db/init.sql", DATABASE)
        self._write("gres.conf", _gres_lines(self.root))
        for number in range(sum(NODES.values())):
            os.mknod(self.root / f"gpu/{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        srun = '#!/bin/sh\nSLURM_CONF={root}/slurm.conf exec /usr/bin/srun "$@"\n'
        self._write("bin/srun", srun).chmod(0o755)

    def _write(self, name, text):
        path = self.root / name
        path.write_text(text.format(**self.names), encoding="utf-8")
        return path

    def _munge_options(self):
        places = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
        return [f"--{option}={self.root}/munge/{name}" for option, name in places.items()]

    def _start_database(self):
        folder, socket_ = f"--datadir={self.root}/db/data", f"--socket={self.root}/db/socket"
        self._run("mariadb-install-db", "--no-defaults", "--user=root", folder, "--skip-test-db")
        places = [folder, socket_, f"--pid-file={self.root}/db/pid", f"--init-file={self.root}/db/init.sql"]
        # slurmdbd requires a long lock time-out; the data need not outlive the tests.
        small = ["--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900"]
        self._start("mariadbd", "--no-defaults", "--user=root", "--skip-networking", *places, *small)
        self._until((self.root / "db/socket").exists, "mariadbd")

    def _start(self, name, *arguments, program=None, **environment):
        with (self.root / f"log/{name}.out").open("a") as log:
            self.daemons[name] = subprocess.Popen(
                [find_program(program or name), *arguments],
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 (one thread)
            )

    def _stop(self, name, with_signal=signal.SIGTERM):
        daemon = self.daemons.pop(name, None)
        if daemon is None:
            return
        daemon.send_signal(with_signal)
        try:
            daemon.wait(15)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _kill(self, processes):
        for process in processes:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _run(self, program, *arguments):
        command = [find_program(program), *arguments]
        with (self.root / f"log/{program}.out").open("a") as log:
            subprocess.run(command, env=self.environment, stdout=log, stderr=log, check=True, timeout=120)

    def _succeeds(self, *command):
        finished = subprocess.run(command, env=self.environment, capture_output=True, check=False, timeout=60)
        return finished.returncode == 0

    def _until(self, is_so, what, seconds=90):
        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end:
                raise TimeoutError(f"no {what} after {seconds} s; see {self.root}/log")
            time.sleep(0.2)


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [bound.getsockname()[1] for bound in sockets]
    for bound in sockets:
        bound.close()
    return ports


def _node_lines(ports):
    lines = []
    for (node, gpus), port in zip(NODES.items(), ports, strict=True):
        place = f"NodeName={node} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port}"
        lines.append(f"{place} CPUs=4 RealMemory=16000 State=UNKNOWN" + (f" Gres=gpu:{gpus}" if gpus else ""))
    return "\n".join(lines)


def _gres_lines(root):
    return "\n".join(f"NodeName={node} Name=gpu File={root}/gpu/[0-{gpus - 1}]" for node, gpus in NODES.items() if gpus)


def _processes():
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _is_step_keeper(process, log):
    """Return whether a process is a slurmstepd that writes to this log (a pattern with one `*`)."""
    try:
        if not Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"slurmstepd:"):
            return False
        return any(path.readlink().match(log) for path in Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return False


def _with_descendants(process):
    found = [process]
    try:
        for thread in Path(f"/proc/{process}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += _with_descendants(int(child))
    except OSError:
        pass
    return found


def _die_with_parent():
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
