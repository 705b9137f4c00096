"""The whole grid side by side: babelgrid's workflow, and a plain script of the usual libraries."""
