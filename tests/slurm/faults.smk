# Jobs of seconds that tell in runs/<name> what became of them: each start, each end, and whether two were there at once.
import sys
from pathlib import Path

RUN = """
    exec 9>>runs/{wildcards.name}.lock
    flock -n 9 || echo twice >> runs/{wildcards.name}
    echo start attempt {resources.tried} >> runs/{wildcards.name}
    {params.work}
    echo end >> runs/{wildcards.name}
    touch {output}
"""
WORK = {
    "slow": "sleep 6",
    "preempted": "sleep 12",
    "time": "sleep $((150 / ({resources.tried} * {resources.tried} * {resources.tried})))",
    "memory": "python3 -c 'import time; held = b\"x\" * 700_000_000; time.sleep(8)'",
}
# Of a node's 16,000 MB.
MEMORY = {"preempted": 9000, "slow1": 15000, "slow2": 15000, "slow3": 15000}
Path("runs").mkdir(exist_ok=True)


localrules:
    all,


rule all:
    input:
        [f"results/lab/{name}" for name in config["names"].split(",")],


rule job:
    output:
        "results/lab/{name,[a-z]+[0-9]?}",
    resources:
        tried=lambda wildcards, attempt: attempt,
        slurm_partition=lambda wildcards: "low" if wildcards.name == "preempted" else "cpu",
        mem_mb=lambda wildcards, attempt: MEMORY.get(wildcards.name, 1000 if wildcards.name != "memory" else 700 * attempt),
        runtime=lambda wildcards, attempt: 1 if wildcards.name == "time" and attempt == 1 else 10,
    params:
        work=lambda wildcards, resources: WORK.get(wildcards.name, WORK["slow"]).format(resources=resources),
    shell:
        RUN


rule gpu:
    output:
        "results/lab/gpu/{number}",
    resources:
        slurm_partition="gpu",
        gpu=1,
        mem_mb=1000,
        runtime=10,
    shell:
        "echo $CUDA_VISIBLE_DEVICES > {output}; sleep 8"


rule split:
    output:
        "results/lab/split/written",
    log:
        "results/lab/logs/split.log",
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        sys.executable + " -m split_job {output} {log}"
