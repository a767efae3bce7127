"""Fast ways to run a network: on crops, for gradients with respect to the picture, with fewer multiplications."""
