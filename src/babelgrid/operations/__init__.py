"""What people ask before, during and after a run: is this machine fit, what will it cost, how far is it."""
