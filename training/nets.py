"""The three small nets that read a plate: its corners, its characters, its issuer; all take uint8 windows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CLASSES = 37


def conv(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int] = 3,
    stride: int | tuple[int, int] = 1,
    pad: int | None = None,
) -> nn.Module:
    """Convolution, batch normalisation, ReLU."""
    padding = (kernel // 2 if isinstance(kernel, int) else 0) if pad is None else pad
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def normalised(windows: Tensor) -> Tensor:
    """Grey windows (N x 64 x 128) as N x 1 x 64 x 128, each of zero mean and unit deviation."""
    x = windows.float()[:, None]
    return (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), keepdim=True) + 8)


class Block(nn.Module):
    """Two convolutions beside a way through."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        """What the class says."""
        return torch.relu(x + self.second(self.first(x)))


class Characters(nn.Module):
    """CTC over 32 columns of a rectified plate: N x 64 x 128 to N x 32 x 37 scores; class 0 is the blank."""

    def __init__(self, widths: tuple[int, ...] = (16, 24, 40, 64, 96, 128, 160)) -> None:
        super().__init__()
        a, b, c, d, e, f, g = widths
        self.eye = nn.Sequential(
            conv(1, a, 3, 2), conv(a, b), conv(b, c, 3, 2), Block(c), Block(c),
            conv(c, d, 3, (2, 1)), Block(d), Block(d),
            conv(d, e, 3, (2, 1)), Block(e), conv(e, f), Block(f), conv(f, g, (4, 1)),
        )  # fmt: skip
        self.context = nn.Sequential(
            nn.Conv1d(g, g, 5, padding=2, bias=False), nn.BatchNorm1d(g), nn.ReLU(inplace=True),
            nn.Conv1d(g, g, 5, padding=2, bias=False), nn.BatchNorm1d(g), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.drop = nn.Dropout(0.1)
        self.head = nn.Conv1d(g, CLASSES, 1)

    def forward(self, windows: Tensor) -> Tensor:
        """What the class says."""
        seen = self.eye(normalised(windows)).squeeze(2)
        return self.head(self.drop(seen + self.context(seen))).transpose(1, 2)


class Corners(nn.Module):
    """Four corners in the enlarged box (N x 8, shares), the logit of two lines (N), where they part (N)."""

    def __init__(self, widths: tuple[int, ...] = (12, 24, 32, 48)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.eye = nn.Sequential(
            conv(1, a, 3, 2), conv(a, b, 3, 2), conv(b, c, 3, 2), conv(c, d), conv(d, d), conv(d, 16, 1)
        )
        self.head = nn.Sequential(nn.Linear(16 * 8 * 16, 96), nn.ReLU(inplace=True), nn.Linear(96, 10))

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the class says."""
        out = self.head(self.eye(normalised(windows)).flatten(1))
        return out[:, :8], out[:, 8], out[:, 9]


class Issuer(nn.Module):
    """Scores of issuers and kinds from a rectified plate in colour: N x 80 x 160 x 3 uint8."""

    def __init__(
        self, issuers: int, kinds: int, widths: tuple[int, ...] = (16, 32, 48, 80, 112, 128)
    ) -> None:
        super().__init__()
        a, b, c, d, e, f = widths
        self.eye = nn.Sequential(
            conv(3, a, 3, 2),
            conv(a, b),
            conv(b, c, 3, 2),
            Block(c),
            conv(c, d, 3, 2),
            Block(d),
            conv(d, e, 3, 2),
            conv(e, f),
        )
        self.drop = nn.Dropout(0.2)
        self.mix = nn.Sequential(nn.Linear(f * 5 * 5, 192), nn.ReLU(inplace=True))
        self.issuer, self.kind = nn.Linear(192, issuers), nn.Linear(192, kinds)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """What the class says."""
        x = windows.float().permute(0, 3, 1, 2)
        # One mean and deviation for all three colours: the tint stays.
        x = (x - x.mean((1, 2, 3), keepdim=True)) / (x.std((1, 2, 3), keepdim=True) + 8)
        seen = self.eye(x)
        # The rows are kept apart (name above, motto below), the columns in pairs.
        pooled = nn.functional.avg_pool2d(seen, (1, 2)).flatten(1)
        mixed = self.drop(self.mix(self.drop(pooled)))
        return self.issuer(mixed), self.kind(mixed)
