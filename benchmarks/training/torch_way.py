"""The Milestone 3 reports' U-Net in PyTorch, channels last: the loop one writes by hand.

Runs in an environment of its own: ``python -m benchmarks.training.torch_way PRECISION``.
"""

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.training.protocol import BATCH, CLASSES, LEARNING_RATE, ready, serve

FILTERS, DEPTH, DROPOUT, BOTTOM_DROPOUT = 16, 4, 0.2, 0.3
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class UNet(nn.Module):
    """RGB (b, 3, h, w) of 0..255 -> probabilities (b, C, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        widths = [FILTERS * 2**level for level in range(DEPTH)]
        bottom = FILTERS * 2**DEPTH
        self.down = nn.ModuleList(map(_convolutions, [3, *widths], widths))
        self.bottom = _convolutions(widths[-1], bottom, BOTTOM_DROPOUT)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in widths)
        self.up = nn.ModuleList(_convolutions(2 * w, w) for w in widths)
        self.logits = nn.Conv2d(FILTERS, CLASSES, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The network."""
        x, skips = x / 255, []
        for block in self.down:
            skips.append(block(x))
            x = nn.functional.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for level in reversed(range(DEPTH)):
            x = self.up[level](torch.cat([self.enlarge[level](x), skips[level]], dim=1))
        return torch.softmax(self.logits(x).float(), dim=1)


def _convolutions(before: int, after: int, dropout: float = DROPOUT) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Conv2d(after, after, 3, padding=1),
        nn.ReLU(),
    )


def reports_loss(labels: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Weighted Dice over the batch plus focal loss, as in the Milestone 3 reports."""
    truth = nn.functional.one_hot(labels, CLASSES).permute(0, 3, 1, 2).float()
    pixels = (0, 2, 3)
    hits, total = (truth * scores).sum(pixels), truth.sum(pixels) + scores.sum(pixels)
    own = scores.gather(1, labels[:, None]).clip(1e-7, 1 - 1e-7)
    focal = (-0.25 * (1 - own) ** 2 * own.log()).mean() / CLASSES
    return 1 - (0.1666 * (2 * hits + 1e-5) / (total + 1e-5)).mean() + focal


class Loop:
    """Epochs of Adam over uint8 images and labels."""

    def __init__(self, precision: str) -> None:
        self.precision = precision

    def prepare(self, edge: int, patches: int) -> dict[str, Any]:
        """Two models, one after the other."""
        random = np.random.default_rng(0)
        images = random.integers(256, size=(patches, 3, edge, edge), dtype=np.uint8)
        self.images = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
        labels = random.integers(CLASSES, size=(patches, edge, edge), dtype=np.uint8)
        self.labels = torch.from_numpy(labels)
        return ready(self._evaluate)

    def epoch(self) -> None:
        """All patches in random order."""
        for batch in torch.randperm(len(self.images)).split(BATCH):
            loss = self._step(batch)
        loss.item()

    def peak_mb(self) -> float | None:
        """The GPU's."""
        return torch.cuda.max_memory_allocated() / 2**20 if DEVICE == "cuda" else None

    def _evaluate(self) -> Callable[[], object]:
        self.model = UNet().to(DEVICE, memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), LEARNING_RATE)
        return lambda: self._step(torch.arange(BATCH)).item()

    def _step(self, batch: torch.Tensor) -> torch.Tensor:
        images = self.images[batch].to(DEVICE).float()
        labels = self.labels[batch].to(DEVICE).long()
        self.optimizer.zero_grad(set_to_none=True)
        mixed = self.precision == "bfloat16"
        with torch.autocast(DEVICE, torch.bfloat16) if mixed else contextlib.nullcontext():
            scores = self.model(images)
        loss = reports_loss(labels, scores)
        loss.backward()
        self.optimizer.step()
        return loss


if __name__ == "__main__":
    serve(Loop(sys.argv[1]))
