"""Compare training steps of babelgrid and TRL's `SFTTrainer`."""
