"""A network as a list of operations, each with a name, and none of them in place, random or dead.

``torch.fx`` runs ``forward`` once with placeholders instead of tensors and writes down what is called. The tracer here
names every operation, says in one sentence what cannot be followed, and hands the list to ``rewriting``.
"""

import operator
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from linecache import getline
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import fx, nn
from torch.fx.proxy import TraceError

from convis_core.errors import SpecError
from convis_core.models.pixels import Normalise
from convis_core.models.rewriting import rewrite

_NAMES = "convis_names"
_TORCH = str(Path(torch.__file__).parent)
_OWN = frozenset(str(Path(__file__).with_name(name)) for name in ("tracing.py", "pixels.py", "wrapping.py"))

# While torch.fx traces, it patches nn.Module for the whole process: one at a time.
_lock = threading.RLock()


def symbolic(module: nn.Module) -> tuple[fx.GraphModule, dict[fx.Node, str]]:
    """The operations of a network in order of execution, and the name of each.

    A layer has the module's own qualified name. The further uses of a layer are called ``NAME_1``, ``NAME_2``, and a
    function or a method by its own name within the module that calls it, such as ``layer1.0.add``; where a module of
    the network has that name already, an ``@`` stands in the place of the last underscore.

    The list computes what the module computes in eval mode for pictures one by one, with these differences in form:

    - what works in place works out of place, and whoever reads the overwritten tensor later reads the new value;
    - dropout and stochastic depth that ``forward`` asks for even outside training return their input;
    - batch norm without running statistics takes those of each picture by itself, as for a batch of one;
    - ``view`` is ``reshape``, which takes every memory layout;
    - of an output with several parts, only the logits are returned;
    - operations that do not reach the output are gone.

    Args:
        module: the network; neither it nor its layers are changed. Modules of ``torch.nn`` are operations, all others
            are followed into. A network that was returned from here is returned as it is.

    Returns:
        The operations as a module over the network's own layers and weights, and the names of all but the output.

    Raises:
        SpecError: when torch.fx cannot follow ``forward``, or when what it does in place or at random cannot be
            rewritten; one sentence that names the file and the line.

    >>> module, names = symbolic(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    >>> list(names.values())
    ['input', '0', '1']
    """
    if isinstance(module, fx.GraphModule) and _NAMES in module.meta:
        return module, {node: module.meta[_NAMES][node.name] for node in module.graph.nodes if node.op != "output"}
    with _lock:
        before = set(vars(module))
        tracer = _Tracer()
        try:
            try:
                graph = tracer.trace(module)
            except SpecError:
                raise
            except Exception as error:
                raise SpecError(_not_followed(error, tracer)) from error
            names = _names(graph, module, tracer.owners)
            graph_module = rewrite(module, graph, tracer.lines)
        finally:
            # Tensors that forward makes for itself are held by the graph; torch.fx put them on the module as well.
            for name in set(vars(module)) - before:
                delattr(module, name)
    names = _complete(names, graph, module)
    graph_module.meta[_NAMES] = {node.name: name for node, name in names.items()}
    return graph_module, names


class _Proxy(fx.Proxy):
    """Stands for a tensor; writes down ``x += y`` as what it is, an operation in place."""


def _in_place(name: str) -> Callable[[_Proxy, Any], fx.Proxy]:
    def record(self: _Proxy, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", getattr(operator, f"i{name}"), (self, other), {}, name=name)

    return record


for _name in ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor"):
    setattr(_Proxy, f"__i{_name}__", _in_place(_name))


class _Tracer(fx.Tracer):
    """Writes down which module an operation belongs to, and which line of a ``forward`` asked for it."""

    def __init__(self) -> None:
        super().__init__(autowrap_functions=_whole_functions())
        self.owners: dict[fx.Node, str] = {}
        self.lines: dict[fx.Node, str] = {}
        self.line = ""
        self._module = ""
        self._thread = threading.get_ident()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Normalise) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        outer = self._module
        self._module = self.path_of_module(m)
        try:
            if self.is_leaf_module(m, self._module):
                return self.create_proxy("call_module", self._module, args, kwargs)
            return forward(*args, **kwargs)
        finally:
            self._module = outer

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        self.owners[node] = self._module
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not symbolic.__code__:
            if not _inner(frame.f_code.co_filename):
                self.line = _place(frame.f_code.co_filename, frame.f_lineno)
                break
            frame = frame.f_back
        self.lines[node] = self.line
        return node


def _whole_functions() -> tuple[Callable[..., Any], ...]:
    """Functions that are one operation and not followed into: torchvision's, where the network has imported it."""
    torchvision = sys.modules.get("torchvision.ops")
    return () if torchvision is None else (torchvision.stochastic_depth,)


def _names(graph: fx.Graph, module: nn.Module, owners: dict[fx.Node, str]) -> dict[fx.Node, str]:
    """A name for every operation: all different, and none but a layer's first use has the name of a module."""
    modules = {name for name, _ in module.named_modules(remove_duplicate=False)}
    taken: set[str] = set()
    uses: dict[str, int] = {}
    names: dict[fx.Node, str] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            base = str(node.target)
        else:
            # torch.fx numbers the uses of a function through the whole network, we within the module.
            own = re.sub(r"(?<=.)_[0-9]+$", "", node.name)
            base = f"{owners[node]}.{own}" if owners[node] else own
        index = uses.get(base, 0)
        uses[base] = index + 1
        if node.op == "call_module" and base not in taken:
            names[node] = base
        else:
            names[node] = next(name for name in _candidates(base, index) if name not in modules and name not in taken)
        taken.add(names[node])
    return names


def _complete(names: dict[fx.Node, str], graph: fx.Graph, module: nn.Module) -> dict[fx.Node, str]:
    """The names of the operations that are left, and of those that rewriting put in, each after the one before it."""
    taken = {*names.values(), *(name for name, _ in module.named_modules(remove_duplicate=False))}
    complete: dict[fx.Node, str] = {}
    for node in graph.nodes:
        if node.op == "output":
            continue
        if node not in names:
            base = complete[node.prev]
            names[node] = next(name for name in _candidates(f"{base}@", 0) if name not in taken)
            taken.add(names[node])
        complete[node] = names[node]
    return complete


def _candidates(base: str, index: int) -> Iterator[str]:
    yield f"{base}_{index}" if index else base
    while True:
        index = max(index, 1)
        yield f"{base}@{index}"
        index += 1


def _inner(file: str) -> bool:
    """Whether a file is part of the machinery and not of the network."""
    return file.startswith((_TORCH, "<")) or file in _OWN


def _place(file: str, line: int) -> str:
    return f"line {line} of {file} ({getline(file, line).strip()})"


def place_of(error: BaseException) -> str:
    """The line of the network's own code at which an error arose; empty when there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _inner(frame.filename)]
    return _place(frames[-1].filename, frames[-1].lineno or 0) if frames else ""


def _not_followed(error: Exception, tracer: _Tracer) -> str:
    """One sentence: where torch.fx stopped, and why."""
    where = place_of(error) or tracer.line or "the forward of this network"
    return f"torch.fx cannot follow {where}: {_reason(error)}."


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, TraceError):
        if "control flow" in text:
            return "it decides by a value that only a picture gives"
        if "iterated" in text:
            return "it repeats as often as the size of a tensor says"
    if isinstance(error, NameError) and "installed as a submodule" in text:
        return "it calls a module that is not one of the network's own, such as one made inside forward"
    if isinstance(error, TypeError) and "item assignment" in text:
        return "it writes into a part of a tensor"
    if "Proxy" in text or "'len'" in text:
        return "it needs a number where only a picture gives one"
    return first_line(error)


def first_line(error: BaseException) -> str:
    """What an error says, in one line and without a stop."""
    lines = str(error).strip().splitlines() or ["no reason was given"]
    return f"{type(error).__name__}: {lines[0].strip().rstrip('.')}"
