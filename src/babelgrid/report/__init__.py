"""The report: one self-contained page from the tables. Never imports torch."""
