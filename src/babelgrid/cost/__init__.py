"""Compute speed and cost of jobs, APIs and list prices."""
