"""babelgrid: which languages must be labelled so that a fine-tuned language model works in all of them."""
