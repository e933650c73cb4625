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
        self.up1 = nn.ConvTranspose2d(filters + classes, filters, kernel_size=3, stride=2)
        self.up2 = nn.ConvTranspose2d(filters + classes, filters, kernel_size=3, stride=2)
        self.mix = nn.Conv2d(filters + 2 * channels, filters, kernel_size=3, padding=1)
        self.out = nn.Conv2d(filters, channels, kernel_size=3, padding=1)
        for layer in (self.hidden, self.spread, self.mix, self.out):
            _draw(layer, fan_in=layer.weight[0].numel())
        for up in (self.up1, self.up2):
            _draw(up, fan_in=9 * filters)  # of its output: what the published code does

    def forward(self, gradient: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return the perturbation, shaped as `x`, for labels `y` (n,)."""
        label = self._shown("label", F.one_hot(y, self.classes).to(x.dtype))
        gradient, image = self._shown("gradient", gradient), self._shown("image", 2 * x - 1)
        h = F.leaky_relu(self.hidden(label), SLOPE)
        h = F.leaky_relu(self.spread(torch.cat([h, label], dim=1)), SLOPE)
        h = h.view(-1, *self.base)
        h = F.leaky_relu(_same(self.up1(_with_maps(h, label))), SLOPE)
        h = F.leaky_relu(_same(self.up2(_with_maps(h, label))), SLOPE)
        h = _joined(h, gradient, image)
        return self.out(F.leaky_relu(self.mix(h), SLOPE))

    def _shown(self, name: Input, values: Tensor) -> Tensor:
        return torch.zeros_like(values) if name == self.without else values


def _same(x: Tensor) -> Tensor:
    """Cut to twice the input's size, as TensorFlow's 'same' padding does."""
    return x[:, :, :-1, :-1]


def _with_maps(x: Tensor, label: Tensor) -> Tensor:
    """Append the label as constant maps, one a class."""
    return _joined(x, label[:, :, None, None].expand(-1, -1, *x.shape[2:]))


def _joined(x: Tensor, *maps: Tensor) -> Tensor:
    """Append maps to `x`, in its precision, laid out as convolutions want them."""
    joined = torch.cat([x, *(m.to(x.dtype) for m in maps)], dim=1)
    return joined.contiguous(memory_format=torch.channels_last)


def _draw(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d, fan_in: int) -> None:
    nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_in))
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
