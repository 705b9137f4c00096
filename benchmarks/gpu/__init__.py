"""What only a GPU can show, at the shapes of Llama-3.2-3B."""
