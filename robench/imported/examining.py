"""A whole evaluation of a classifier from elsewhere: brought in, attacked white-box, audited."""

from collections.abc import Iterator
from dataclasses import replace

from robench import archive, panel
from robench import data as images
from robench.attack import AdaptiveAttack, TrainedAttack
from robench.audit.auditing import audited
from robench.campaign import KEPT, Campaign, attacks_of, check_numbers
from robench.environment import choose_device
from robench.errors import UserError
from robench.evaluation import NamedAttack, evaluate
from robench.imported.bringing import Brought, Place, bring
from robench.imported.record import Imported
from robench.planning import CACHE
from robench.plugins import DATASETS
from robench.records import Audit, Evaluation
from robench.settings import configure, values_of

Event = Imported | Evaluation | Audit
"""What `examine` tells of as it goes."""


def examine(
    asked: Brought, campaign: Campaign, *, bar: bool = False
) -> Iterator[tuple[Event, bool]]:
    """Bring a classifier in, attack and audit it; yield each step and whether it is new.

    `campaign`: the attacks, images and device; its settings may hold `model.KEY` and `dataset.KEY`
    too. Targets, source and the choice of runs are not asked. Raises UserError for what cannot be
    had, before anything is attacked.
    """
    own = _of(campaign, "model.")
    attacked_by = replace(campaign, settings=_rest(campaign, ("model.", "dataset.")))
    attacks = _attacks(attacked_by)
    place = _place(campaign)
    shown = panel.choose(place.data, campaign.images, campaign.image_seed)
    subject, new = bring(replace(asked, settings={**asked.settings, **own}), place)
    assert isinstance(subject.run, Imported)
    yield subject.run, new
    for named in attacks:
        yield evaluate(
            *(campaign.runs, subject, named, shown),
            data=place.data,
            keep=KEPT if campaign.keep is None else campaign.keep,
            again=campaign.keep is not None,
            precision=campaign.precision,
            bar=bar,
        )
    if campaign.audit:
        yield audited(campaign.runs, subject, place.data, archive.read(campaign.runs))


def _attacks(campaign: Campaign) -> list[NamedAttack]:
    """Return the attacks to run; those that need a training of robench's are not among them."""
    check_numbers(campaign)
    needing = (AdaptiveAttack, TrainedAttack)
    attacks = attacks_of(campaign)
    able = [one for one in attacks if not isinstance(one.attack, needing)]
    named = {name.partition("@")[0] for name in campaign.attacks}
    for one in attacks:
        if one not in able and (one.name.partition("@")[0] in named or not able):
            raise UserError(
                f"the attack {one.name} needs what robench recorded of the training, and of this "
                "network nothing is; leave it out"
            )
    return able


def _place(campaign: Campaign) -> Place:
    if campaign.dataset is None:
        known = ", ".join(DATASETS.names())
        raise UserError(f"on which images? say --dataset, of: {known}")
    plugin = DATASETS.get(campaign.dataset)
    source = configure(plugin.cls, _of(campaign, "dataset."), plugin.name)
    device = choose_device(campaign.device)
    given = (source, plugin.name, campaign.data_dir, campaign.runs / CACHE, device)
    data = images.load(*given, validation=0)  # what it was trained on is not known
    return Place(data, plugin.name, values_of(source), campaign.runs)


def _of(campaign: Campaign, owner: str) -> dict[str, bool | int | float | str]:
    settings = campaign.settings.items()
    return {key.removeprefix(owner): value for key, value in settings if key.startswith(owner)}


def _rest(campaign: Campaign, owners: tuple[str, ...]) -> dict[str, bool | int | float | str]:
    settings = campaign.settings.items()
    return {key: value for key, value in settings if not key.startswith(owners)}
