"""Other systems that learn from the same posts: sentence embeddings with logistic regression."""
