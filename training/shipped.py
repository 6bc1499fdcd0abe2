"""A net as it was shipped, to train it further: the weights of an ONNX file in the reader's layers.

Checkpoints of trainings are not kept, versions are. A shipped net has its batch normalisation folded into its
convolutions, and its weights may be in 8 bits; both are undone here. What each convolution answers to
`windows` becomes the mean and deviation of its normalisation, so that the first step of the training already
finds what it expects.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

_Convolution = nn.Conv1d | nn.Conv2d
_Normalisation = nn.BatchNorm1d | nn.BatchNorm2d


def begin_with(net: nn.Module, path: Path, windows: np.ndarray) -> None:
    """Gives `net` the weights of the ONNX file at `path`; in evaluation it then answers as that does.

    Args:
        net: Of the same layers as the shipped one, under the same names.
        path: The shipped net.
        windows: Some hundred samples of what the net is shown.

    Raises:
        ValueError: The layers are others.
    """
    layers, weights = list(_layers(net, windows[:2])), _weights(path)
    names = {module: name.removeprefix("net.") for name, module in net.named_modules()}
    shapes = {names[layer]: tuple(layer.weight.shape) for layer, _ in layers}
    if shapes != {name: weight.shape for name, (weight, _) in weights.items()}:
        raise ValueError(f"{path} holds other layers than the net")
    with torch.no_grad():
        for layer, after in layers:
            weight, bias = weights[names[layer]]
            layer.weight.copy_(torch.from_numpy(weight))
            if after is None:
                layer.bias.copy_(torch.from_numpy(bias))  # type: ignore[union-attr]
            else:
                _set(after, torch.zeros(len(bias)), torch.ones(len(bias)), torch.from_numpy(bias))
    _normalise(net, [(layer, after) for layer, after in layers if after is not None], windows)


def modules_of(path: Path) -> frozenset[str]:
    """The names of the convolutions of the ONNX file at `path`."""
    return frozenset(_weights(path))


def _set(after: _Normalisation, mean: Tensor, variance: Tensor, bias: Tensor) -> None:
    """Makes `after` add `bias` to what has this mean and variance, and nothing else."""
    after.running_mean.copy_(mean)  # type: ignore[union-attr]
    after.running_var.copy_(variance - after.eps)  # type: ignore[union-attr]
    after.weight.copy_(variance.sqrt())
    after.bias.copy_(bias + mean)


def _layers(net: nn.Module, windows: np.ndarray) -> list[tuple[_Convolution, _Normalisation | None]]:
    """The convolutions in the order in which they answer, each with the normalisation behind it."""
    seen: list[nn.Module] = []
    kinds = (nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d)
    hooks = [
        one.register_forward_hook(lambda module, _in, _out: seen.append(module))
        for one in net.modules()
        if isinstance(one, kinds)
    ]
    _run(net, windows)
    for hook in hooks:
        hook.remove()
    following = [*seen[1:], None]
    return [
        (one, after if isinstance(after, nn.BatchNorm1d | nn.BatchNorm2d) else None)
        for one, after in zip(seen, following, strict=True)
        if isinstance(one, nn.Conv1d | nn.Conv2d)
    ]


def _normalise(
    net: nn.Module, layers: list[tuple[_Convolution, _Normalisation]], windows: np.ndarray
) -> None:
    measured: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def measure(layer: nn.Module, _given: tuple[Tensor, ...], answer: Tensor) -> None:
        over = [axis for axis in range(answer.ndim) if axis != 1]
        measured[layer] = answer.mean(over), answer.var(over) + 1e-5

    hooks = [layer.register_forward_hook(measure) for layer, _ in layers]
    _run(net, windows)
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        for layer, after in layers:
            _set(after, *measured[layer], after.bias.clone())


def _run(net: nn.Module, windows: np.ndarray) -> None:
    training = net.training
    net.eval()
    with torch.no_grad():
        net(torch.from_numpy(windows))
    net.train(training)


def _weights(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Weight and bias of each convolution of the file, by the name of its module."""
    graph = onnx.load(path).graph
    values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and all(name in values for name in node.input):
            axis = next((one.i for one in node.attribute if one.name == "axis"), 0)
            values[node.output[0]] = _dequantized(*(values[name] for name in node.input), axis=axis)
    return {
        _module(node.name): (
            values[node.input[1]].astype(np.float32),
            values[node.input[2]].astype(np.float32),
        )
        for node in graph.node
        if node.op_type == "Conv"
    }


def _module(node: str) -> str:
    """`/net/eye/eye.3/first/Conv`, as the export calls a node, is module `eye.3.first`."""
    parts: list[str] = []
    for part in node.split("/")[1:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts).removeprefix("net.")


def _dequantized(stored: np.ndarray, scale: np.ndarray, zero: np.ndarray, *, axis: int) -> np.ndarray:
    shape = [1] * stored.ndim
    if scale.ndim:
        shape[axis] = -1
    return (stored.astype(np.float32) - zero.reshape(shape)) * scale.reshape(shape)
