"""Operations in place, rewritten out of place so that every value stays what it was when it was computed.

``y = conv(x); z = y.relu_(); w = y + z`` adds the rectified values twice, since ``y`` was overwritten. Rewritten, the
convolution's own output can still be read, and ``w = z + z``.
"""

import inspect
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from convis_core.errors import SpecError

_OPERATORS: Mapping[Any, Callable[..., Any]] = {
    getattr(operator, f"i{name}"): getattr(operator, name if name not in ("and", "or") else f"{name}_")
    for name in ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor")
}
_OPERATOR_METHODS = {f"__{function.__name__}__": f"__{function.__name__[1:]}__" for function in _OPERATORS}
_FILLS: Mapping[str, Callable[..., Any]] = {"zero_": torch.zeros_like, "fill_": torch.full_like}
_RANDOM_FILLS = frozenset(
    {"bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_"}
)
# These change how a tensor is read and not what it holds.
_RESHAPING = frozenset({"squeeze_", "swapaxes_", "swapdims_", "t_", "transpose_", "unsqueeze_"})

# Whose result is the tensor that they were given.
_SAME_LAYERS = (nn.Identity, nn.modules.dropout._DropoutNd)
_SAME_METHODS = frozenset({"detach", "requires_grad_"})
_SAME_FUNCTIONS = frozenset(
    {
        *(functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d),
        *(functional.alpha_dropout, functional.feature_alpha_dropout, torch.dropout, torch.feature_dropout),
    }
)
# Whose result lies in the memory of what they were given, or may lie there.
_VIEW_LAYERS = (nn.Flatten, nn.Unflatten)
_VIEWS = frozenset(
    {
        *("chunk", "contiguous", "cpu", "cuda", "diagonal", "double", "expand", "expand_as", "flatten", "float"),
        *("getitem", "half", "hsplit", "movedim", "moveaxis", "narrow", "permute", "ravel", "reshape", "reshape_as"),
        *("select", "split", "squeeze", "swapaxes", "swapdims", "t", "tensor_split", "to", "transpose", "type"),
        *("type_as", "unbind", "unflatten", "unfold", "unsqueeze", "view", "view_as", "vsplit", "bfloat16"),
    }
)
_VIEW_ATTRIBUTES = frozenset({"data", "H", "mH", "mT", "real", "T"})
_PARTS = frozenset({"chunk", "hsplit", "split", "tensor_split", "unbind", "vsplit"})
_NUMBER_METHODS = frozenset({"dim", "element_size", "item", "ndimension", "nelement", "numel", "size", "stride"})
_NUMBER_ATTRIBUTES = frozenset({"device", "dtype", "is_cuda", "layout", "ndim", "requires_grad", "shape"})


def out_of_place(graph: fx.Graph, module: nn.Module, lines: Mapping[fx.Node, str]) -> bool:
    """Rewrite what works in place.

    Args:
        graph: the operations, which are changed.
        module: the network that they belong to, which is not.
        lines: the place in the network's code that each operation comes from, for refusals.

    Returns:
        Whether some layer in place overwrites what is read later: setting it out of place would change the network.

    Raises:
        SpecError: when a part of a tensor is overwritten whose whole is read later, and the like.
    """
    memory = _Memory()
    changed = False
    for node in list(graph.nodes):  # the list as it was: what is put in on the way is known already
        node.args = fx.map_arg(node.args, memory.now)
        node.kwargs = fx.map_arg(node.kwargs, memory.now)
        layer = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        if node.target in _OPERATORS and _first(node) in memory.numbers:
            node.target = _OPERATORS[node.target]  # Numbers are never overwritten.
        if memory.gives_number(node):
            memory.note_number(node)
        elif not _works_in_place(node, layer, lines):
            memory.note(node, layer)
        else:
            name = str(node.target)
            target = _first(node)
            if target is None or memory.storage[target].op == "get_attr":
                _refuse(node, lines, "writes into its own weights")
            if layer is None:
                _replace(node, lines)
            read_later = memory.overwrite(target, node, lines, same_memory=name in _RESHAPING)
            changed |= read_later and layer is not None
    return changed


@dataclass(slots=True)
class _Memory:
    """What is known of the tensors so far, in order of execution.

    Attributes:
        order: the operations with their place in that order.
        storage: tensor -> the tensor whose memory it lies in, or may lie in.
        same: tensor -> the first of the names under which this very tensor goes.
        replaced: an overwritten tensor -> what to read in its place.
        cut: a part of a tensor -> that tensor, and the indices that cut the part out of it.
        numbers: what is a number, such as a size, and no tensor.
    """

    order: dict[fx.Node, int] = field(default_factory=dict)
    storage: dict[fx.Node, fx.Node] = field(default_factory=dict)
    same: dict[fx.Node, fx.Node] = field(default_factory=dict)
    replaced: dict[fx.Node, fx.Node] = field(default_factory=dict)
    cut: dict[fx.Node, tuple[fx.Node, tuple[Any, ...]]] = field(default_factory=dict)
    numbers: set[fx.Node] = field(default_factory=set)

    def now(self, node: fx.Node) -> fx.Node:
        """What holds this tensor's present value."""
        while node in self.replaced:
            node = self.replaced[node]
        return node

    def note(self, node: fx.Node, layer: nn.Module | None) -> None:
        """Remember an operation that overwrites nothing."""
        self.order[node] = len(self.order)
        source = _first(node)
        view, same = (False, False) if source is None else _sharing(node, layer)
        self.storage[node] = self.storage.get(source, node) if source is not None and (view or same) else node
        self.same[node] = self.same.get(source, node) if source is not None and same else node
        if source is not None and _is_slicing(node, source):
            self.cut[node] = (source, (node.args[1],))

    def note_number(self, node: fx.Node) -> None:
        """Remember an operation that gives a number."""
        self.order[node] = len(self.order)
        self.numbers.add(node)

    def overwrite(self, target: fx.Node, node: fx.Node, lines: Mapping[fx.Node, str], *, same_memory: bool) -> bool:
        """Remember that ``node`` gives the value that takes the place of ``target``'s.

        Returns:
            Whether somebody reads that tensor later under one of its former names.
        """
        self.order[node] = len(self.order)
        names = [name for name, first in self.same.items() if first is self.same[target]]
        read_later = any(self._is_read_later(name) for name in names)
        storage = self.storage[target]
        self.storage[node] = storage if same_memory else node
        self.same[node] = node
        if not same_memory:
            sharers = [
                other
                for other, first in self.storage.items()
                if first is storage and other not in names and other not in self.replaced
            ]
            late = [other for other in sharers if not _disjoint(other, target) and self._is_read_later(other)]
            if late:
                self._write_through(late, target, node, lines)
        self.replaced.update(dict.fromkeys(names, node))
        return read_later

    def _write_through(self, late: list[fx.Node], target: fx.Node, node: fx.Node, lines: Mapping[fx.Node, str]) -> None:
        """Put the new value of a part into the whole that is read later."""
        whole: fx.Node = target
        indices: tuple[Any, ...] = ()
        while whole not in late and whole in self.cut:
            whole, index = self.cut[whole]
            indices = (*index, *indices)
        if late != [whole]:
            _refuse(node, lines, "overwrites a tensor of which a part or another view is read later")
        with node.graph.inserting_after(node):
            written = node.graph.call_function(overwritten, (whole, node, *indices))
        self.order[written] = len(self.order)
        self.same[written] = self.storage[written] = self.storage[node] = written
        self.cut[node] = (written, indices)
        for name in [name for name, first in self.same.items() if first is self.same[whole]]:
            self.replaced[name] = written

    def _is_read_later(self, node: fx.Node) -> bool:
        """Whether an operation that was not seen yet reads the values of this one, under whatever name."""
        names = [node, *(name for name in self.replaced if self.now(name) is node)]
        return any(user not in self.order and not self.gives_number(user) for name in names for user in name.users)

    def gives_number(self, node: fx.Node) -> bool:
        if node.op == "call_method":
            return node.target in _NUMBER_METHODS
        if node.op != "call_function":
            return False
        if node.target is getattr:
            return node.args[1] in _NUMBER_ATTRIBUTES
        sources = node.all_input_nodes
        return bool(sources) and all(source in self.numbers for source in sources) and _is_arithmetic(node.target)


def overwritten(whole: Tensor, part: Tensor, *indices: Any) -> Tensor:
    """A copy of a tensor in which what the indices cut out, one after the other, has other values.

    >>> overwritten(torch.zeros(3), torch.ones(2), slice(1, None))
    tensor([0., 1., 1.])
    """
    copy = whole.clone()
    place = copy
    for index in indices:
        place = place[index]
    place.copy_(part)
    return copy


def _is_slicing(node: fx.Node, source: fx.Node) -> bool:
    """Whether it cuts a part out of a tensor: parts of a tuple are taken by a number."""
    name = getattr(source.target, "__name__", source.target)
    return node.target is operator.getitem and isinstance(node.args[1], slice | tuple) and name not in _PARTS


def _is_arithmetic(function: Any) -> bool:
    return getattr(function, "__module__", "") in ("_operator", "math", "builtins")


def _sharing(node: fx.Node, layer: nn.Module | None) -> tuple[bool, bool]:
    """Whether a result lies in the memory of what the operation was given, and whether it is the same tensor."""
    if layer is not None:
        return isinstance(layer, _VIEW_LAYERS), isinstance(layer, _SAME_LAYERS)
    if node.op == "call_method":
        return node.target in _VIEWS, node.target in _SAME_METHODS
    if node.op != "call_function":
        return False, False
    if node.target is getattr:
        return node.args[1] in _VIEW_ATTRIBUTES, False
    return getattr(node.target, "__name__", "") in _VIEWS, node.target in _SAME_FUNCTIONS


def _disjoint(one: fx.Node, other: fx.Node) -> bool:
    """Whether two tensors are different parts of one that was cut up."""
    if not (one.target is operator.getitem is other.target and one.args[0] is other.args[0]):
        return False
    source = one.args[0]
    name = getattr(source.target, "__name__", source.target) if isinstance(source, fx.Node) else ""
    places = one.args[1], other.args[1]
    return name in _PARTS and all(type(place) is int for place in places) and len(set(places)) == 2


def _works_in_place(node: fx.Node, layer: nn.Module | None, lines: Mapping[fx.Node, str]) -> bool:
    if layer is not None:
        return getattr(layer, "inplace", False) is True
    if node.kwargs.get("out") is not None:
        _refuse(node, lines, "writes into a tensor given as out=")
    if node.op == "call_method":
        name = str(node.target)
        if name == "__setitem__":
            _refuse(node, lines, "writes into a part of a tensor")
        return name in _OPERATOR_METHODS or (
            name.endswith("_") and not name.endswith("__") and name not in _SAME_METHODS
        )
    if node.op != "call_function":
        return False
    if node.target is operator.setitem:
        _refuse(node, lines, "writes into a part of a tensor")
    if node.target in _OPERATORS or _is_torchs_in_place(node.target):
        return True
    return _inplace_argument(node) is True


def _inplace_argument(node: fx.Node) -> Any:
    if "inplace" in node.kwargs:
        return node.kwargs["inplace"]
    names = _argument_names(node.target)
    position = names.index("inplace") if "inplace" in names else len(node.args)
    return node.args[position] if position < len(node.args) else False


def _argument_names(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a function of torch's own that is not written in Python
        return []


def _is_torchs_in_place(function: Any) -> bool:
    """Whether it is a function of torch's whose name ends in an underscore, as those in place do."""
    name = getattr(function, "__name__", "")
    is_torchs = function is getattr(functional, name, None) or function is getattr(torch, name, None)
    return is_torchs and name.endswith("_") and not name.endswith("__")


def _twin(name: str) -> Callable[..., Any] | None:
    """The out-of-place form of such a function."""
    twin: Callable[..., Any] | None = getattr(functional, name[:-1], getattr(torch, name[:-1], None))
    return _FILLS.get(name, twin)


def _first(node: fx.Node) -> fx.Node | None:
    source = node.args[0] if node.args else node.kwargs.get("input", node.kwargs.get("self"))
    return source if isinstance(source, fx.Node) else None


def _replace(node: fx.Node, lines: Mapping[fx.Node, str]) -> None:
    """Put the out-of-place operation in the place of the other."""
    name = str(node.target) if node.op == "call_method" else getattr(node.target, "__name__", "")
    if name in _RANDOM_FILLS:
        _refuse(node, lines, "draws random numbers")
    if node.target in _OPERATORS:
        node.target = _OPERATORS[node.target]
    elif name in _FILLS:
        node.op, node.target = "call_function", _FILLS[name]
    elif node.op == "call_method":
        node.target = _OPERATOR_METHODS.get(name, name[:-1])
        if not hasattr(torch.Tensor, str(node.target)):
            _refuse(node, lines, f"uses {name}, which has no form that leaves its input as it is")
    elif _is_torchs_in_place(node.target):
        twin = _twin(name)
        if twin is None:
            _refuse(node, lines, f"uses {name}, which has no form that leaves its input as it is")
        node.target = twin
    elif "inplace" in node.kwargs:
        node.kwargs = {**node.kwargs, "inplace": False}
    else:
        position = _argument_names(node.target).index("inplace")
        node.args = (*node.args[:position], False, *node.args[position + 1 :])


def _refuse(node: fx.Node, lines: Mapping[fx.Node, str], what: str) -> NoReturn:
    raise SpecError(f"The network {what}, which cannot be followed: {lines.get(node) or node.name}.")
