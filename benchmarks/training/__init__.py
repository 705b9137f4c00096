"""Training steps side by side: babelgrid and TRL's `SFTTrainer`."""
