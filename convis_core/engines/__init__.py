"""Fast ways to run a network: on crops, for gradients of the picture alone, with fewer multiplications."""
