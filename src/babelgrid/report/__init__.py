"""Write the report, one self-contained HTML page, from the tables. Never imports torch."""
