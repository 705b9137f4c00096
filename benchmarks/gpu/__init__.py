"""Benchmarks that need a GPU, at the shapes of Llama-3.2-3B."""
