"""Draw figures from tables. Never imports torch."""
