"""From predictions to tables: scores, transfer, exposure. Never imports torch."""
