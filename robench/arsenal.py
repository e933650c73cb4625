"""The attacks of an evaluation, configured: those of a preset, or those that were named."""

from collections.abc import Mapping, Sequence

from robench.attack import AdaptiveAttack
from robench.engine import engine_of, rehearse
from robench.errors import UserError
from robench.evaluation import NamedAttack
from robench.planning import PRECISIONS, defense_of
from robench.plugins import ATTACKS
from robench.records import RunSpec, Setting
from robench.settings import configure


def chosen_attacks(
    preset: str,
    names: Sequence[str],
    settings: Mapping[str, Setting],
    engine: str = "robench",
    precision: str = "auto",
) -> list[NamedAttack]:
    """Return the attacks to run: those called `names`, or all of `preset`.

    `settings`: `cw.steps` and the like, over the preset's; an attack that they leave nothing to
    tell apart by runs once. Raises UserError for a setting of an attack that is not run, and where
    ART is to run what it does not have.
    """
    whose = engine_of(engine)
    if precision not in PRECISIONS:
        raise UserError(f"--precision {precision} is not of {', '.join(PRECISIONS)}")
    named = [ATTACKS.get(name) for name in names]
    installed = ATTACKS.available()
    presets = {known for plugin in (*named, *installed) for known in plugin.cls.presets}
    if preset not in presets:
        known = ", ".join(sorted(presets)) or "none"
        raise UserError(f"no installed attack has a preset {preset!r}; there is: {known}")
    plugins = named or [plugin for plugin in installed if preset in plugin.cls.presets]
    given = _by_attack(settings, [_typed(plugin.name) for plugin in plugins])
    attacks: list[NamedAttack] = []
    for plugin in plugins:
        for own in plugin.cls.presets.get(preset, ({},)):
            attack = configure(plugin.cls, {**own, **given[_typed(plugin.name)]}, plugin.name)
            if whose == "art":
                rehearse(plugin.name, attack)
            attacks.append(NamedAttack(plugin.name, attack, whose))
    return [one for place, one in enumerate(attacks) if one not in attacks[:place]]


def suits(named: NamedAttack, spec: RunSpec) -> bool:
    """Tell whether an attack is one for the checkpoints of a run: all are but adaptive ones."""
    if not isinstance(named.attack, AdaptiveAttack):
        return True
    defense = defense_of(spec)
    return defense is not None and named.attack.suits(defense)


def _by_attack(
    settings: Mapping[str, Setting], names: Sequence[str]
) -> dict[str, dict[str, Setting]]:
    """Sort `cw.steps` and the like by attack."""
    given: dict[str, dict[str, Setting]] = {name: {} for name in names}
    for key, value in settings.items():
        name, _, setting = key.rpartition(".")  # a name may hold dots: package.module:Class
        if name not in given or not setting:
            raise UserError(f"--set {key}: give ATTACK.SETTING, of: {', '.join(given)}")
        given[name][setting] = value
    return given


def _typed(name: str) -> str:
    """Return an attack's name as one types it: a file's, without the hash of its content."""
    return name.partition("@")[0]
