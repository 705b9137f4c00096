"""How often the intervals and tests of the tables are right, on simulated cells whose truth is known."""
