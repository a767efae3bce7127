"""Networks of your own: wrapped as they are, or refused with one sentence that says why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from convis_core.errors import SpecError
from convis_core.models.arguments import channel_triple, class_names, whole_number
from convis_core.models.identity import fingerprint, not_finite
from convis_core.models.pixels import FromPixels, Normalise
from convis_core.models.preparation import fold, own_copy
from convis_core.models.registry import out_of_place
from convis_core.models.rewriting import is_rewritten
from convis_core.models.spec import LoadedModel, ModelSpec, Triple, WeightsSource
from convis_core.models.tracing import first_line, place_of, symbolic

_LARGEST_SIDE = 2048
# How far two ways of computing the same logits may differ by rounding, as a part of the largest.
_ROUNDING = 1e-3

# These pass their input on, or only pad it: not worth showing beside it.
_UNSHOWN = (Normalise, nn.Identity, nn.modules.dropout._DropoutNd, nn.modules.padding._ConstantPadNd)


def wrap(
    module: nn.Module,
    *,
    categories: Sequence[str] = (),
    input_size: int = 224,
    mean: Triple = (0.0, 0.0, 0.0),
    std: Triple = (1.0, 1.0, 1.0),
) -> LoadedModel:
    """A network of your own as a LoadedModel; the module given is copied, not changed.

    The copy computes in float32 on the CPU and in eval mode: weights in another precision are converted, and those
    that weight norm, spectral norm or another parametrisation computes are computed once. Dropout is off even where
    ``forward`` requests it, batch norm without running statistics uses those of each picture separately, and of an
    output in several parts the logits are used. The network is traced and tested on two pictures at once, so that
    whatever would give wrong results later is refused here.

    For a network with a single output the probability is sigmoid(logit); see ``probabilities``.

    Args:
        module: any module that torch.fx can trace, from normalised pixels [N, 3, S, S] to logits [N, C], or to a tuple,
            dict or dataclass that holds one tensor only or one called ``logits``.
        categories: names of the classes by index; without them they are called "class 0", "class 1", ...
        input_size: side S of the square input, in pixels, at most 2048.
        mean: what is subtracted from pixels in [0, 1].
        std: what they are then divided by.

    Raises:
        SpecError: when an argument is not of this kind, when torch.fx cannot follow ``forward`` (the sentence names the
            line), when the module does not map [1, 3, S, S] to [1, C], when its weights or logits are not finite, when
            it answers at random or mixes the pictures of a batch, or when there are not C categories.

    >>> model = wrap(nn.Sequential(nn.Conv2d(3, 2, 8), nn.Flatten()), input_size=8, categories=("cat", "dog"))
    >>> model.categories, model.spec.parameters
    (('cat', 'dog'), 386)
    """
    if not isinstance(module, nn.Module):
        raise SpecError(f"A network is a torch.nn.Module, not {module!r}.")
    size = whole_number("The side of the square input in pixels", input_size, 1, _LARGEST_SIDE)
    mean, std = channel_triple("The mean", mean), channel_triple("The standard deviation", std, positive=True)
    network = own_copy(module)
    pictures = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    given = _Given(network, Normalise(mean, std)(pictures[:1]))
    fold(network)
    pixels = FromPixels(network, mean, std).eval().requires_grad_(False)
    graph_module, names = symbolic(pixels)
    graph_module.requires_grad_(False)
    if given.error is not None:
        _refuse_failure(given.error, graph_module, size)
    broken = not_finite(dict(graph_module.named_parameters()))
    if broken:
        raise SpecError(f"The weights of the network in {broken} are not all finite numbers; load them anew.")
    logits, shapes = _examine(graph_module, pictures, given)
    label = type(network).__name__
    classes = class_names(categories, logits.shape[1])
    spec = ModelSpec(
        id=label,
        label=label,
        year=0,
        paper="",
        parameters=sum(parameter.numel() for parameter in graph_module.parameters()),
        weights=WeightsSource("", "", "", 0),
        input_size=size,
        mean=mean,
        std=std,
        feature_layers=_feature_layers(graph_module, names, shapes),
        cam_layer=_cam_layer(graph_module, names, shapes),
        summary="",
        categories=classes,
    )
    key = f"wrapped:{label}:{fingerprint(graph_module, classes, size)}"
    ready: nn.Module = graph_module
    if not is_rewritten(graph_module):
        out_of_place(network)
        ready = pixels
    return LoadedModel(spec, ready, classes, size, torch.device("cpu"), key)


@dataclass(slots=True)
class _Given:
    """The original network on one normalised picture: the traced network must return the same logits."""

    network: nn.Module
    x: Tensor
    logits: Tensor | None = None
    error: Exception | None = None
    random: bool = False

    def __post_init__(self) -> None:
        try:
            self.logits = self._run()
            self.random = self.logits is not None and not torch.equal(self.logits, _or_empty(self._run()))
        except Exception as error:  # noqa: BLE001 -- reported once the network is traced, which tells more
            self.error = error

    def _run(self) -> Tensor | None:
        with torch.no_grad():
            return _logits_of(self.network(self.x.clone()))


def _or_empty(logits: Tensor | None) -> Tensor:
    return torch.empty(0) if logits is None else logits


def _logits_of(output: Any) -> Tensor | None:
    """The logits in what a network returned, chosen as ``symbolic`` chooses them; None where it refuses."""
    if isinstance(output, Tensor):
        return output
    if is_dataclass(output) and not isinstance(output, Mapping):
        output = {item.name: getattr(output, item.name) for item in fields(output)}
    elif hasattr(output, "_asdict"):
        output = output._asdict()
    elif isinstance(output, tuple | list):
        output = dict(enumerate(output))
    if not isinstance(output, Mapping):
        return None
    present = {name: value for name, value in output.items() if value is not None}
    return _logits_of(present.get("logits", next(iter(present.values())) if len(present) == 1 else None))


class _Shapes(fx.Interpreter):
    """Runs the operations and records output shapes; torch.fx requires a subclass here."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.extra_traceback = False
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.shapes[n] = tuple(result.shape)
        return result


def _examine(
    graph_module: fx.GraphModule, pictures: Tensor, given: _Given
) -> tuple[Tensor, dict[fx.Node, tuple[int, ...]]]:
    """Logits for the first picture and the shapes of all outputs, once they are known to be correct."""
    interpreter = _Shapes(graph_module)
    size = pictures.shape[-1]
    with torch.no_grad():
        try:
            logits = interpreter.run(pictures[:1].clone())
        except Exception as error:  # noqa: BLE001 -- any failure of somebody's network
            _refuse_failure(error, graph_module, size)
        _check_logits(logits)
        if given.logits is not None and not given.random and not _agree(logits, given.logits):
            raise SpecError(
                "The network as torch.fx follows it answers otherwise than the network itself, so some of what it does "
                "(a hook, a value noted in passing, a test of types) cannot be followed; leave that out of it."
            )
        try:
            both = graph_module(pictures.clone())
        except Exception as error:
            raise SpecError(
                f"The network answers one picture but fails on two at once: {first_line(error)}; "
                "let the first axis be of any length."
            ) from error
        if both.shape[0] != 2 or not _agree(both[:1], logits):
            again = graph_module(pictures[:1].clone())
            if not torch.equal(again, logits):
                raise SpecError("The network answers the same picture differently each time; leave out what is random.")
            raise SpecError("The network mixes the pictures of a batch; each must be answered by itself.")
    return logits, interpreter.shapes


def _agree(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return bool((one - other).abs().max() <= _ROUNDING * float(other.abs().max().clamp(min=1e-3)))


def _check_logits(logits: Any) -> None:
    if not isinstance(logits, Tensor):
        raise SpecError(f"A network must return logits [N, C]; this one returns {type(logits).__name__}.")
    if logits.dim() != 2 or logits.shape[0] != 1 or logits.shape[1] == 0:
        raise SpecError(
            f"A network must return logits [N, C]; this one returned {tuple(logits.shape)} for one picture."
        )
    if logits.dtype != torch.float32:
        raise SpecError(f"A network must return logits in float32; this one returns {logits.dtype} from its forward.")
    if not torch.isfinite(logits).all():
        raise SpecError("The network's logits are not finite numbers, for a picture of noise; look at its weights.")


def _refuse_failure(error: Exception, graph_module: fx.GraphModule, size: int) -> None:
    """Raise an error that says why the network fails on a picture."""
    for node in graph_module.graph.nodes:
        layer = graph_module.get_submodule(str(node.target)) if node.op == "call_module" else None
        reads = [source for source in node.all_input_nodes if source.op == "call_module"]
        channels = getattr(layer, "in_channels", 3)
        if channels != 3 and any(isinstance(graph_module.get_submodule(str(one.target)), Normalise) for one in reads):
            raise SpecError(
                f"The network takes pictures of {channels} channels, and here they have three, red, green and blue; "
                "put a layer before it that makes one from the other."
            ) from error
    where = place_of(error)
    raise SpecError(
        f"The network fails on a picture of 3 x {size} x {size} numbers"
        f"{f', at {where}' if where else ''}: {first_line(error)}."
    ) from error


def _has_grid(shape: tuple[int, ...] | None) -> bool:
    return shape is not None and len(shape) == 4 and shape[2] * shape[3] > 1


def _feature_layers(
    graph_module: fx.GraphModule, names: Mapping[fx.Node, str], shapes: Mapping[fx.Node, tuple[int, ...]]
) -> tuple[str, ...]:
    """The layers whose outputs are maps, in the order in which they run."""
    return tuple(
        dict.fromkeys(
            str(node.target)
            for node in names
            if node.op == "call_module"
            and _has_grid(shapes.get(node))
            and not isinstance(graph_module.get_submodule(str(node.target)), _UNSHOWN)
        )
    )


def _cam_layer(
    graph_module: fx.GraphModule, names: Mapping[fx.Node, str], shapes: Mapping[fx.Node, tuple[int, ...]]
) -> str:
    """The last operation with rows and columns; operations that do not reach the output have been removed."""
    spatial = [
        name
        for node, name in names.items()
        if node.op not in ("placeholder", "get_attr")
        and _has_grid(shapes.get(node))
        and not (node.op == "call_module" and isinstance(graph_module.get_submodule(str(node.target)), Normalise))
    ]
    return spatial[-1] if spatial else ""
