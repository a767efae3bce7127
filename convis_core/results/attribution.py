"""What a gradient method says about every pixel, and the specifications that ask for it."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """A signed value for every value of the picture, with respect to one class logit.

    Attributes:
        values: float32 [3, S, S], signed; for a gradient, d logit_target / d pixel with pixels in [0, 1].
        target: index of the class.
        method: name of the method in plain words, such as "saliency".
        done: units of work (samples, steps) that the values hold so far.
        total: units of work that the final result holds.
    """

    values: Tensor
    target: int
    method: str
    done: int = 1
    total: int = 1

    def magnitude(self) -> Tensor:
        """The largest absolute value over the colour channels: [S, S], as Simonyan et al. (2013) draw it."""
        return self.values.abs().amax(dim=0)

    def is_zero(self) -> bool:
        """Whether nothing in the picture moves the score: every value is zero."""
        return not bool(self.values.any())

    def concentration(self, share: float = 0.5) -> float:
        """The smallest part of the picture that holds this share of the total magnitude, as a fraction of its area.

        A map that is the same everywhere gives ``share`` itself, a map of one point almost zero.
        """
        ranked = self.magnitude().flatten().double().sort(descending=True).values
        held = ranked.cumsum(dim=0)
        needed = int((held < share * held[-1]).sum()) + 1
        return min(1.0, needed / len(ranked))
