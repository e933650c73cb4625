"""Settings read from text, one clear line for each that does not fit."""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pytest

from robench.errors import UserError
from robench.records import Setting
from robench.settings import configure, declared, differing, values_of


@dataclass(frozen=True)
class Plugin:
    """One setting of every type."""

    constant: ClassVar[int] = 3

    flag: bool = False
    steps: int = 10
    eps: float = 0.5
    scale: float = 1
    name: str = "plain"
    mode: Literal["code", "paper"] = "code"
    derived: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Refuse what the types allow and sense does not."""
        if self.steps == 13:
            raise ValueError("13 steps bring bad luck")
        if self.steps == 14:
            raise UserError("14 steps are too many; try 12")


def configured(**given: Setting) -> Plugin:
    return configure(Plugin, given, "plugin")


def test_settings_are_the_fields_in_their_order() -> None:
    found = {one.name: (one.kind, one.default) for one in declared(Plugin)}
    assert found == {
        "flag": (bool, False),
        "steps": (int, 10),
        "eps": (float, 0.5),
        "scale": (float, 1),
        "name": (str, "plain"),
        "mode": (str, "code"),
    }
    assert declared(Plugin)[-1].accepts == "code or paper"


def test_text_becomes_the_setting_s_type() -> None:
    found = configured(flag="true", steps="7", eps="1e-3", name="3", mode="paper")
    assert found == Plugin(True, 7, 1e-3, 1.0, "3", "paper")
    assert [type(value) for value in (found.flag, found.steps, found.eps, found.name)] == [
        bool,
        int,
        float,
        str,
    ]


def test_typed_values_are_taken_as_they_are() -> None:
    assert configured(flag=True, steps=7, eps=2) == Plugin(True, 7, 2.0)
    assert type(configured(eps=2).eps) is float


def test_nothing_given_is_the_defaults() -> None:
    assert configured() == Plugin()


def test_a_whole_default_of_a_float_is_recorded_as_the_same_number_given() -> None:
    for found in (configured(), configured(scale="1"), configured(scale=1)):
        assert repr(values_of(found)["scale"]) == "1.0"


@pytest.mark.parametrize(
    ("word", "value"),
    [(word, True) for word in ("true", "True", "yes", "YES", "1")]
    + [(word, False) for word in ("false", "False", "no", "NO", "0")],
)
def test_words_for_true_and_false(word: str, value: bool) -> None:
    assert configured(flag=word).flag is value


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"flag": "maybe"}, "flag=maybe is not true or false (default false)"),
        ({"flag": ""}, "flag= is not true or false (default false)"),
        ({"flag": 2}, "flag=2 is not true or false (default false)"),
        ({"steps": "1.5"}, "steps=1.5 is not a whole number (default 10)"),
        ({"steps": 1.5}, "steps=1.5 is not a whole number (default 10)"),
        ({"steps": 2.0}, "steps=2.0 is not a whole number (default 10)"),
        ({"steps": True}, "steps=True is not a whole number (default 10)"),
        ({"steps": "ten"}, "steps=ten is not a whole number (default 10)"),
        ({"eps": "much"}, "eps=much is not a number (default 0.5)"),
        ({"eps": "nan"}, "eps=nan is not a number (default 0.5)"),
        ({"eps": "inf"}, "eps=inf is not a number (default 0.5)"),
        ({"eps": "-1e999"}, "eps=-1e999 is not a number (default 0.5)"),
        ({"eps": math.nan}, "eps=nan is not a number (default 0.5)"),
        ({"eps": True}, "eps=True is not a number (default 0.5)"),
        ({"eps": 10**400}, f"eps={10**400} is not a number (default 0.5)"),
        ({"mode": "thesis"}, "mode=thesis is not code or paper (default code)"),
        ({"mode": ""}, "mode= is not code or paper (default code)"),
    ],
)
def test_a_value_of_another_type_is_refused_in_one_line(
    given: dict[str, Setting], said: str
) -> None:
    with pytest.raises(UserError) as caught:
        configure(Plugin, given, "plugin")
    assert str(caught.value) == f"plugin: {said}"


def test_no_value_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="eps=None is not a number"):
        configure(Plugin, {"eps": None}, "plugin")  # type: ignore[dict-item]


def test_an_unknown_setting_names_the_nearest_and_all() -> None:
    with pytest.raises(UserError) as caught:
        configured(step="3")
    assert str(caught.value) == (
        "plugin has no setting 'step'; did you mean 'steps'? "
        "Its settings: flag, steps, eps, scale, name, mode"
    )


@pytest.mark.parametrize("name", ["zzz", "derived", "constant"])
def test_an_unknown_setting_without_a_near_one_names_all(name: str) -> None:
    with pytest.raises(UserError, match=f"no setting '{name}'. Its settings: flag, steps"):
        configured(**{name: "1"})


def test_a_plugin_without_settings_says_so() -> None:
    @dataclass
    class Bare:
        """No settings."""

    assert declared(Bare) == []
    with pytest.raises(UserError, match=r"bare has no setting 'eps'. Its settings: none"):
        configure(Bare, {"eps": "1"}, "bare")


def test_what_the_plugin_itself_refuses_is_told() -> None:
    with pytest.raises(UserError, match=r"^plugin: 13 steps bring bad luck$"):
        configured(steps="13")
    with pytest.raises(UserError, match=r"^14 steps are too many; try 12$"):
        configured(steps="14")


@pytest.mark.parametrize("hint", [list[int], int | None, float | int, dict, Literal[1, 2], bytes])
def test_fields_of_other_types_are_refused(hint: object) -> None:
    @dataclass
    class Odd:
        """A field that cannot be set from text."""

        odd: int = 0

    Odd.__annotations__["odd"] = hint
    with pytest.raises(UserError, match=r"Odd.odd is a .*a setting is bool, int, float, str"):
        declared(Odd)


def test_fields_without_a_default_are_refused() -> None:
    @dataclass
    class Demanding:
        """A field without default."""

        eps: float

    with pytest.raises(UserError, match=r"Demanding.eps has no default; every setting needs one"):
        declared(Demanding)


def test_a_type_known_to_type_checkers_alone_is_refused() -> None:
    @dataclass
    class Hidden:
        """A field whose type cannot be looked up."""

        eps: float = 0.1

    Hidden.__annotations__["eps"] = "Decimal"
    with pytest.raises(UserError, match="Hidden: name 'Decimal' is not defined"):
        declared(Hidden)


def test_values_are_those_in_force() -> None:
    assert values_of(configured(steps="3"))["steps"] == 3


def test_differing_names_what_is_not_default_but_one() -> None:
    assert differing(configured()) == ""
    assert differing(configured(flag="yes", eps="0.1", mode="paper")) == (
        "flag=true, eps=0.1, mode=paper"
    )
    assert differing(configured(flag="yes", eps="0.1"), but="eps") == "flag=true"
