"""From predictions to scores: cells, views, baselines, confusions."""
