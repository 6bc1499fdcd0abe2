"""The plate detector: one pass over a frame, one answer for every 8 x 8 pixels.

A small residual backbone (strides 4 to 32), a pyramid that brings the wide view back to stride 8, and one
head. A cell whose centre holds a plate's centre says so (score) and describes the plate: upright box and
four corners, in the units of `training.targets`.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.shipped import begin_with, modules_of

STRIDE = 8
SCALE = 1 / 128  # bytes to about 0..2; the export folds it into the first convolution


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """A bottleneck: half the channels, 3 x 3, added to what came in. `dilation` widens the view."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        half = channels // 2
        self.reduce = _conv(channels, half, 1)
        self.widen = nn.Sequential(
            nn.Conv2d(half, channels, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Of the same size as `x`."""
        return functional.relu(x + self.widen(self.reduce(x)))


class DetectorNet(nn.Module):
    """Logits [N, 1, h, w] and geometry [N, 12, h, w] (box, then corners) for bytes [N, H, W, 3] BGR."""

    def __init__(
        self, widths: tuple[int, ...] = (16, 32, 48, 96, 128), neck: int = 48, *, deep: bool = True
    ) -> None:
        """`deep` false leaves out the last blocks of strides 16 and 32, which plates-1 to -3 are without."""
        super().__init__()
        w2, w4, w8, w16, w32 = widths
        self.stem = _conv(3, w2, 3, 2)
        self.stage4 = _conv(w2, w4, 3, 2)
        self.stage8 = nn.Sequential(_conv(w4, w8, 3, 2), Residual(w8), Residual(w8))
        self.stage16 = nn.Sequential(_conv(w8, w16, 3, 2), Residual(w16), Residual(w16))
        # Dilated, so that a plate as wide as the frame is still seen whole.
        self.stage32 = nn.Sequential(_conv(w16, w32, 3, 2), Residual(w32), Residual(w32, 2), Residual(w32))
        if deep:
            self.stage16.append(Residual(w16))
            self.stage32.extend([Residual(w32, 2), Residual(w32)])
        self.side8 = nn.Conv2d(w8, neck, 1)
        self.side16 = nn.Conv2d(w16, neck, 1)
        self.side32 = nn.Conv2d(w32, neck, 1)
        self.head = _conv(neck, 64)
        self.score = nn.Conv2d(64, 1, 1)
        self.geometry = nn.Conv2d(64, 12, 1)
        nn.init.constant_(self.score.bias, -4.0)  # plates are rare: start by saying "none"

    @classmethod
    def begun(cls, path: Path, pictures: np.ndarray) -> DetectorNet:
        """The net that goes on from the shipped one at `path`; new blocks are ways through at first.

        `pictures` (uint8 [N, H, W, 3]) are some hundred of what it will be shown.

        Raises:
            ValueError: The file holds another net.
        """
        served = _Served(cls(deep=any(name.startswith("stage16.3.") for name in modules_of(path))))
        begin_with(served, path, pictures)
        with torch.no_grad():
            served.net.stem[0].weight.div_(SCALE)
        net = cls()
        added = net.load_state_dict(served.net.state_dict(), strict=False)
        for name in added.missing_keys:
            if name.endswith("widen.1.weight"):
                nn.init.zeros_(net.get_parameter(name))
        return net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and geometry for bytes."""
        x8 = self.stage8(self.stage4(self.stem(image.permute(0, 3, 1, 2).float() * SCALE)))
        return self.top(x8)

    def top(self, x8: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and geometry from the features of stride 8."""
        x16 = self.stage16(x8)
        up = self.side16(x16) + functional.interpolate(self.side32(self.stage32(x16)), scale_factor=2.0)
        up = functional.relu(self.side8(x8) + functional.interpolate(up, scale_factor=2.0))
        head = self.head(up)
        return self.score(head), self.geometry(head)


class _Served(nn.Module):
    """What is exported: bytes in; scores (zero but at 3 x 3 peaks), boxes and corners out."""

    def __init__(self, net: DetectorNet) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).to(memory_format=torch.contiguous_format)
        with torch.no_grad():
            self.net.stem[0].weight.mul_(SCALE)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        net = self.net
        x = image.to(torch.float32).permute(0, 3, 1, 2)
        logits, geometry = net.top(net.stage8(net.stage4(net.stem(x))))
        score = logits.sigmoid()
        peak = functional.max_pool2d(score, 3, 1, 1)
        score = torch.where(score == peak, score, torch.zeros_like(score))
        return score[:, 0], geometry[:, :4], geometry[:, 4:]


def export(checkpoint: Path, path: Path) -> None:
    """Writes the averaged weights of `checkpoint` as ONNX (opset 17, any sides divisible by 32)."""
    net = DetectorNet()
    net.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["average"])
    write_onnx(net, path)


def write_onnx(net: DetectorNet, path: Path) -> None:
    """Writes `net` as ONNX; `path` changes in one step, so that a reader never sees half a file.

    Raises:
        ValueError: ONNX Runtime does not give PyTorch's answers.
    """
    served = _Served(net).eval()
    part = path.with_suffix(".part")
    sides = {1: "height", 2: "width"}
    cells = {1: "rows", 2: "columns"}
    planes = {2: "rows", 3: "columns"}
    torch.onnx.export(
        served,
        (torch.zeros(1, 384, 640, 3, dtype=torch.uint8),),
        str(part),
        input_names=["image"],
        output_names=["score", "box", "corners"],
        dynamic_axes={"image": sides, "score": cells, "box": planes, "corners": planes},
        opset_version=17,
        dynamo=False,
    )
    _compare(served, part)
    part.replace(path)


def _compare(served: nn.Module, path: Path) -> None:
    """Both answers to noise of a size that the export did not see."""
    import onnxruntime as ort  # noqa: PLC0415 - slow to import, and only used here

    image = torch.randint(0, 256, (1, 160, 96, 3), dtype=torch.uint8)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        meant = served(image)
    for got, wanted in zip(session.run(None, {"image": image.numpy()}), meant, strict=True):
        if not np.allclose(got, wanted.numpy(), atol=2e-3):
            raise ValueError(f"{path.name}: ONNX Runtime answers otherwise than PyTorch")
