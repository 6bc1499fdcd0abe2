"""The three small nets that read a plate: its corners, its characters, its issuer; all take uint8 windows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.windows import NAME_ROWS

CLASSES = 37
LETTERS = 27


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


class Names(nn.Module):
    """Reads the strips above and below the number, N x 2 x 40 x 256 uint8, grey.

    Its answers: what the strips say of the issuer, N x 320, where that counts most which the net pays heed
    to; and, for training, CTC scores of their letters, 2N x 64 x 27, where class 0 is the blank.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 24, 32, 64, 96, 160)) -> None:
        super().__init__()
        a, b, c, d, e, f = widths
        self.eye = nn.Sequential(
            conv(1, a, 3, 2), conv(a, b), conv(b, c, 3, 2), Block(c), Block(c),
            conv(c, d, 3, (2, 1)), Block(d), Block(d), conv(d, e, (5, 3), 1, (0, 1)),
        )  # fmt: skip
        self.letters = nn.Sequential(
            nn.Conv1d(e, e, 5, padding=2, bias=False), nn.BatchNorm1d(e), nn.ReLU(inplace=True),
            nn.Conv1d(e, LETTERS, 1),
        )  # fmt: skip
        self.context = nn.Sequential(
            nn.Conv1d(e + LETTERS, f, 5, 2, padding=2, bias=False), nn.BatchNorm1d(f), nn.ReLU(inplace=True),
            nn.Conv1d(f, f, 7, padding=3, bias=False), nn.BatchNorm1d(f), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.heed = nn.Conv1d(f, 1, 1)

    def forward(self, strips: Tensor) -> tuple[Tensor, Tensor]:
        """What the class says."""
        columns = self.eye(normalised(strips.flatten(0, 1))).squeeze(2)
        letters = self.letters(columns)
        seen = self.context(torch.cat([columns, letters.softmax(1)], 1))
        heed = self.heed(seen).softmax(-1)
        return (seen * heed).sum(-1).reshape(-1, 2 * seen.shape[1]), letters.transpose(1, 2)


class Issuer(nn.Module):
    """Scores of issuers and kinds from a flat plate: the whole in colour, and the strips of its names.

    The third answer, scores of issuers by the strips alone, and the fourth, those of letters, are for
    training: colours are learned from in no time, names must be asked for.
    """

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
        self.names = Names()
        self.drop = nn.Dropout(0.2)
        self.mix = nn.Sequential(nn.Linear(f * 4 * 4 + 320, 256), nn.ReLU(inplace=True))
        self.issuer, self.kind, self.by_name = (
            nn.Linear(256, issuers),
            nn.Linear(256, kinds),
            nn.Linear(320, issuers),
        )

    def forward(self, windows: Tensor, strips: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the class says, for N x 64 x 128 x 3 and N x 2 x 40 x 256, both uint8."""
        x = windows.float().permute(0, 3, 1, 2)
        # One mean and deviation for all three colours: the tint stays.
        x = (x - x.mean((1, 2, 3), keepdim=True)) / (x.std((1, 2, 3), keepdim=True) + 8)
        # The rows are kept apart (name above, motto below), the columns in pairs.
        whole = nn.functional.avg_pool2d(self.eye(x), (1, 2)).flatten(1)
        names, letters = self.names(strips)
        mixed = self.drop(self.mix(self.drop(torch.cat([whole, names], 1))))
        return self.issuer(mixed), self.kind(mixed), self.by_name(self.drop(names)), letters


class IssuerWindow(nn.Module):
    """The issuer net as the service asks it: N x 128 x 256 x 3 uint8 to probabilities."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """What the class says."""
        issuer, kind, _, _ = self.net(*parted(window))
        return issuer.softmax(-1), kind.softmax(-1)


def parted(window: Tensor) -> tuple[Tensor, Tensor]:
    """`training.windows.issuer_parts` of windows N x 128 x 256 x 3, as floats that are not rounded."""
    colours = window.float().permute(0, 3, 1, 2)
    small = nn.functional.avg_pool2d(colours, 2).permute(0, 2, 3, 1)
    grey = (colours * torch.tensor([0.114, 0.587, 0.299])[:, None, None]).sum(1)
    return small, torch.stack([grey[:, :NAME_ROWS], grey[:, -NAME_ROWS:]], 1)
