"""The 4-bit base, the forward pass over a shared prompt, fine-tuning and scoring."""
