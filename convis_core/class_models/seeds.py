"""Random numbers that depend only on the seed and the step, so that a run can be resumed at any step."""

import numpy as np
import torch


def generator(*parts: int) -> torch.Generator:
    """A separate generator for every sequence of whole numbers, such as (seed, step, view)."""
    word = int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(word >> 1)
