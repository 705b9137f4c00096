"""Other systems that learn from the same posts: sentence embeddings with a linear model, and encoders."""
