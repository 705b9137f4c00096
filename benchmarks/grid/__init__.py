"""Compare babelgrid's workflow with a plain script of the usual libraries, on a whole grid."""
