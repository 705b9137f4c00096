"""Release adapters: merged weights, a model card, and a check that they give the grid's labels."""
