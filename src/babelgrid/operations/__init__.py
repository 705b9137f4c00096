"""Commands around a run: check the machine, estimate the cost and show the progress."""
