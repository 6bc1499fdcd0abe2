"""Writes the averaged weights of a training as ONNX.

python -m training.export --net characters|corners|issuer --checkpoint FILE --out FILE.onnx
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.nets import Characters, Corners, Issuer, IssuerWindow
from training.plates import ISSUERS, KINDS

_OPSET = 17


class _Characters(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, window: Tensor) -> Tensor:
        return self.net(window).log_softmax(-1)


class _Corners(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        quad, two_line, split = self.net(window)
        return quad, two_line.sigmoid(), split


_NETS = {
    "characters": (lambda: _Characters(Characters()), (2, 64, 128), ("log_probabilities",)),
    "corners": (lambda: _Corners(Corners()), (2, 64, 128), ("quad", "two_line", "split")),
    "issuer": (
        lambda: IssuerWindow(Issuer(len(ISSUERS), len(KINDS))),
        (2, 128, 256, 3),
        ("issuer", "kind"),
    ),
}


def export(name: str, checkpoint: Path, out: Path) -> None:
    """Writes the net of `checkpoint` to `out`, after ONNX Runtime gave the same answers as PyTorch.

    Raises:
        ValueError: It did not.
    """
    make, shape, outputs = _NETS[name]
    whole = make()
    whole.net.load_state_dict(torch.load(checkpoint, weights_only=False)["average"])
    write(whole, torch.randint(0, 256, shape, dtype=torch.uint8), "window", outputs, {0: "n"}, out)


def write(
    net: nn.Module, example: Tensor, name: str, outputs: tuple[str, ...], free: dict[int, str], out: Path
) -> None:
    """Writes `net` with one input `name`, whose axes `free` may have any length; checks it with ONNX Runtime.

    Raises:
        ValueError: ONNX Runtime and PyTorch disagree.
    """
    import onnxruntime as ort  # noqa: PLC0415 - slow to import, and only used here

    net.eval()
    part = out.with_suffix(".part")
    axes = {name: free} | ({o: {0: free[0]} for o in outputs} if 0 in free else {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (example,), str(part), dynamo=False, opset_version=_OPSET, input_names=[name],
            output_names=list(outputs), dynamic_axes=axes,
        )  # fmt: skip
    session = ort.InferenceSession(str(part), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        meant = net(example)
    for got, wanted in zip(
        session.run(None, {name: example.numpy()}),
        meant if isinstance(meant, tuple) else (meant,),
        strict=True,
    ):
        if not np.allclose(got, wanted.numpy(), atol=2e-3):
            raise ValueError(f"{out.name}: ONNX Runtime answers otherwise than PyTorch")
    part.rename(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Writes a trained net as ONNX.")
    parser.add_argument("--net", choices=sorted(_NETS), required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    export(options.net, options.checkpoint, options.out)
