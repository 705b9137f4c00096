"""What every job needs from the machine: files, logs, signals, GPUs, records. Knows no stage."""
