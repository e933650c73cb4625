"""How far a classifier's answer on one image is from that on another."""

import torch
from torch import Tensor
from torch.nn import functional as F


def log_probabilities(logits: Tensor) -> Tensor:
    """Return the log of the softmax of logits (n, classes), in float32 whatever the autocast."""
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return exact.log_softmax(dim=1)


def divergence(answer: Tensor, other: Tensor) -> Tensor:
    """Return KL(answer || other) of each image, (n,), from log-probabilities (n, classes)."""
    return F.kl_div(other, answer, reduction="none", log_target=True).sum(dim=1)
