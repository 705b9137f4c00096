"""Compute scores from predictions: cells, views, baselines, confusions."""
