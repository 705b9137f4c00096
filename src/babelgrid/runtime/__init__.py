"""Machine services shared by all jobs: files, logs, signals, GPUs and records. Independent of any stage."""
