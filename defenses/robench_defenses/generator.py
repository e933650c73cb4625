"""The perturbation generator network (Table 1, Figure 1)."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2
FILTERS = 128
Input = Literal["gradient", "image", "label"]
"""What the generator looks at."""


class Doubling(nn.ConvTranspose2d):
    """A 3 x 3 transposed convolution to twice the size, less its last row and column.

    So TensorFlow's 'same' padding has it. Of each 2 x 2 outputs the first row takes kernel rows 2
    and 0, from the input row above and its own, the second row 1 alone; columns likewise. One
    2 x 2 convolution computes all four. It multiplies 1.8 times as much, in memory layouts that are
    fast: the generator takes two thirds of the time on a CPU.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, kernel_size=3, stride=2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return maps (n, outputs, 2 height, 2 width) of maps (n, inputs, height, width)."""
        assert self.bias is not None
        halved = F.pad(self.weight, (0, 1, 0, 1)).unflatten(3, (2, 2)).unflatten(2, (2, 2))
        kernel = halved.flip(2, 4).permute(1, 3, 5, 0, 2, 4).reshape(-1, x.shape[1], 2, 2)
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        quarters = F.conv2d(F.pad(x, (1, 0, 1, 0)), kernel, self.bias.repeat_interleave(4))
        return F.pixel_shuffle(quarters, 2)


class Generator(nn.Module):
    """Map gradient image, image and label to a perturbation in tanh space (before Eq. 5).

    Image sides must be divisible by 4. There is no noise input: the output is deterministic.
    `width` multiplies every layer's filter count, the hidden dense layer's too. `without`: an input
    that is shown as zeros (Figure 8); layers and initial weights are the same without it as with.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        width: float = 1.0,
        without: Input | None = None,
    ) -> None:
        super().__init__()
        self.without = without
        channels, rows, columns = shape
        filters = max(1, round(FILTERS * width))
        hidden = 8 * filters
        self.base = (filters, rows // 4, columns // 4)
        self.classes = classes
        self.hidden = nn.Linear(classes, hidden)
        self.spread = nn.Linear(hidden + classes, math.prod(self.base))
        self.up1 = Doubling(filters + classes, filters)
        self.up2 = Doubling(filters + classes, filters)
        self.mix = nn.Conv2d(filters + 2 * channels, filters, kernel_size=3, padding=1)
        self.out = nn.Conv2d(filters, channels, kernel_size=3, padding=1)
        for layer in (self.hidden, self.spread, self.mix, self.out):
            _draw(layer, fan_in=layer.weight[0].numel())
        for up in (self.up1, self.up2):
            _draw(up, fan_in=9 * filters)  # of its output: what the published code does

    def forward(self, gradient: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return the perturbation, shaped as `x`, for labels `y` (n,)."""
        one_hot = y[:, None] == torch.arange(self.classes, device=y.device)
        label = self._shown("label", one_hot.to(x.dtype))
        gradient, image = self._shown("gradient", gradient), self._shown("image", 2 * x - 1)
        h = F.leaky_relu(self.hidden(label), SLOPE)
        h = F.leaky_relu(self.spread(torch.cat([h, label], dim=1)), SLOPE)
        h = h.view(-1, *self.base)
        h = F.leaky_relu(self.up1(_with_maps(h, label)), SLOPE)
        h = F.leaky_relu(self.up2(_with_maps(h, label)), SLOPE)
        h = _joined(h, gradient, image)
        return self.out(F.leaky_relu(self.mix(h), SLOPE))

    def _shown(self, name: Input, values: Tensor) -> Tensor:
        return torch.zeros_like(values) if name == self.without else values


def _with_maps(x: Tensor, label: Tensor) -> Tensor:
    """Append the label as constant maps, one a class."""
    return _joined(x, label[:, :, None, None].expand(-1, -1, *x.shape[2:]))


def _joined(x: Tensor, *maps: Tensor) -> Tensor:
    """Append maps to `x`, in its precision, laid out as convolutions want them."""
    layout = torch.channels_last  # of every part: joining them would otherwise lose it
    parts = (part.to(x.dtype).contiguous(memory_format=layout) for part in (x, *maps))
    return torch.cat(list(parts), dim=1)


def _draw(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, fan_in: int) -> None:
    nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_in))
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
