"""torchvision's classifiers by name."""

from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from robench import weights
from robench.errors import UserError
from robench.learner import CLASSIFIER
from robench.models.zoo import Torchvision
from robench.planning import Request, classifier_of, plan
from robench.runs import read_run
from robench.training import accuracy

NAMES = ("mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1", "googlenet", "resnet18")


@pytest.mark.parametrize("name", NAMES)
def test_networks_give_logits_in_training_and_out_of_it(name: str) -> None:
    network = Torchvision(name).build((3, 32, 32), 7)
    assert network.training
    for mode in (True, False):
        assert network.train(mode)(torch.rand(2, 3, 32, 32)).shape == (2, 7)


def test_images_are_centred_and_grey_ones_shown_three_times() -> None:
    network = Torchvision("resnet18").build((1, 32, 32), 4).eval()
    grey = torch.rand(2, 1, 32, 32)
    inner = network.get_submodule("network")
    with torch.no_grad():
        expected = inner(torch.cat([(grey - 0.5) / 0.25] * 3, dim=1))
        torch.testing.assert_close(network(grey), expected)


def test_building_draws_what_torchvision_draws_and_no_more() -> None:
    from torchvision.models import resnet18

    torch.manual_seed(3)
    found = Torchvision("resnet18").build((3, 32, 32), 10).state_dict()
    after = torch.rand(1)
    torch.manual_seed(3)
    expected = resnet18(num_classes=10).state_dict()
    assert torch.equal(torch.rand(1), after)
    for key, tensor in expected.items():
        assert torch.equal(found[f"network.{key}"], tensor), key


def test_the_positions_of_a_transformer_are_those_of_the_images() -> None:
    network = Torchvision("vit_b_16").build((3, 32, 32), 3)
    assert network.get_parameter("network.encoder.pos_embedding").shape == (1, 1 + 4, 768)


@pytest.mark.parametrize(
    ("name", "shape", "named"),
    [
        ("resnet81", (3, 32, 32), "no classifier called 'resnet81'; did you mean 'resnet"),
        ("fasterrcnn_resnet50_fpn", (3, 32, 32), "no classifier called 'fasterrcnn"),
        ("alexnet", (3, 32, 32), "alexnet does not take images of 32 x 32 .*another model.name"),
        ("inception_v3", (3, 32, 32), "inception_v3 does not take images of 32 x 32"),
        ("vit_b_16", (3, 30, 30), "vit_b_16 is not made for images with sides of 30"),
        ("vit_b_16", (3, 32, 48), "vit_b_16 does not take images of 32 x 48"),
        ("resnet18", (2, 32, 32), "RGB or grey images, these have 2 channels"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, shape: tuple[int, int, int], named: str) -> None:
    with pytest.raises(UserError, match=named) as caught:
        Torchvision(name).build(shape, 10)
    assert "\n" not in str(caught.value)


def test_one_trains_and_is_read_back(tmp_path: Path) -> None:
    data = tiny.folder(tmp_path / "data", train=8, test=4, size=32)
    asked: dict[str, Any] = {**tiny.SMALL, "data_dir": data, "runs": tmp_path / "runs"}
    settings = {"model.name": "shufflenet_v2_x0_5"}
    planned = plan(Request("fgm", settings, model="torchvision", **asked))
    tiny.epochs(planned)
    run = read_run(tmp_path / "runs" / planned.spec.key)
    assert run.spec.model == "torchvision"
    assert run.spec.model_settings == {"name": "shufflenet_v2_x0_5"}
    network = classifier_of(run.spec, run.shape, run.classes)().eval()
    path = tmp_path / "runs" / planned.spec.key / run.final.file
    weights.restore(network, weights.load(path, run.final.sha256), CLASSIFIER, path)
    assert accuracy(network, planned.data.validation, run.spec.precision) == run.final.accuracy
