"""Random numbers that depend on the seed and the step alone, so that a run can stop and go on anywhere."""

import numpy as np
import torch


def generator(*parts: int) -> torch.Generator:
    """A generator of its own for every sequence of whole numbers, such as (seed, step, view)."""
    word = int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(word >> 1)
