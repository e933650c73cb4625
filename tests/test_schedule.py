"""The order of tasks: what each waits for, what is begun again; by an executor made for tests."""

import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator

import pytest

from robench.executors.executor import DIED, ENDED, News, Task
from robench.executors.local import Local, Saying
from robench.executors.schedule import Died, Schedule, Started, Step, There


class Chance:
    """Several workers at a time, whose tasks end, or die, in any order."""

    def __init__(self, seed: int, workers: int = 3, dying: float = 0.0) -> None:
        self.draw, self.workers, self.dying = random.Random(seed), workers, dying
        self.tasks: list[Task] = []

    def room(self) -> bool:
        return len(self.tasks) < self.workers

    def begin(self, task: Task) -> None:
        self.tasks.append(task)

    def news(self) -> News:
        task = self.tasks.pop(self.draw.randrange(len(self.tasks)))
        dies = self.draw.random() < self.dying
        return News(task, {DIED: "hit"} if dies else {ENDED: "done"})

    def close(self) -> None:
        self.tasks.clear()


def task(name: object) -> Task:
    """Return a task that asks for nothing."""
    return Task(str(name), "nothing", {})


def ends(steps: Iterator[Step]) -> list[str]:
    """Return the names of the tasks in the order they end."""
    return [one.task.name for one in steps if isinstance(one, News) and one.last]


@pytest.mark.parametrize("seed", range(30))
def test_every_task_ends_once_after_what_it_needs(seed: int) -> None:
    draw = random.Random(seed)
    schedule = Schedule(Chance(seed, workers=draw.randint(1, 5), dying=0.3), retries=10**6)
    needs = {n: draw.sample(range(n), draw.randint(0, min(n, 3))) for n in range(40)}
    for number, after in needs.items():
        schedule.add(task(number), map(str, after))
    begun, ended = Counter[str](), list[str]()
    for step in schedule.steps():
        if isinstance(step, Started):
            begun[step.task.name] += 1
            assert set(map(str, needs[int(step.task.name)])) <= set(ended)
        elif isinstance(step, Died):
            assert step.again
            begun[step.task.name] -= 1
        elif isinstance(step, News):
            ended.append(step.task.name)
    assert sorted(map(int, ended)) == list(range(40))
    assert set(begun.values()) == {1}


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_what_dies_is_begun_again_so_often_and_stops_nothing(retries: int) -> None:
    schedule = Schedule(Chance(0, workers=1, dying=1.0), retries)
    schedule.add(task("a"))
    schedule.add(task("b"), ["a"])
    told = [(s.task.name, s.again) for s in schedule.steps() if isinstance(s, Died)]
    assert told == [(name, n < retries) for name in "ab" for n in range(retries + 1)]


def test_what_is_there_is_not_begun_and_lets_others_begin() -> None:
    schedule = Schedule(Chance(0))
    schedule.add(task("a"))
    schedule.add(task("b"), ["a"])
    steps = list(schedule.steps(lambda one: one.name == "a"))
    assert [type(one) for one in steps] == [There, Started, News]


def test_tasks_may_be_added_on_the_way_and_again() -> None:
    schedule = Schedule(Chance(0))
    schedule.add(task(0))
    names = []
    for step in schedule.steps():
        if isinstance(step, News):
            names.append(step.task.name)
            if len(names) < 5:
                schedule.add(task(len(names) % 2), [step.task.name, "never heard of"])
    assert names == ["0", "1", "0", "1", "0"]


def test_two_at_one_time_are_not_called_alike() -> None:
    schedule = Schedule(Chance(0))
    schedule.add(task("a"))
    with pytest.raises(ValueError, match="two tasks called a"):
        schedule.add(task("a"))


def test_as_many_are_at_work_as_there_is_room_for() -> None:
    executor, most = Chance(0, workers=4), 0
    schedule = Schedule(executor)
    for number in range(20):
        schedule.add(task(number))
    for _ in schedule.steps():
        most = max(most, len(executor.tasks))
    assert most == 4


def says(one: Task) -> Saying:
    """Do a task that says its name."""
    yield {"name": one.name}
    yield {ENDED: "done"}


def test_this_process_does_one_after_the_other() -> None:
    schedule = Schedule(Local(says))
    for name in "abc":
        schedule.add(task(name))
    steps = [(type(one), one.task.name) for one in schedule.steps()]
    assert steps == [(kind, name) for name in "abc" for kind in (Started, News, News)]


def test_leaving_lets_go_of_what_a_task_holds() -> None:
    left = []

    def holds(_: Task) -> Saying:
        try:
            yield {}
            yield {ENDED: "done"}
        finally:
            left.append(True)

    local = Local(holds)
    local.begin(task("a"))
    local.news()
    local.close()
    assert left == [True]
    assert local.room()
    local.close()


def test_ten_thousand_tasks_cost_what_ten_do_each() -> None:
    """Not timed: counted are the steps, and the memory that is held once all have ended."""
    schedule = Schedule(Chance(0, workers=100))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(10_000):
        schedule.add(task(number), [str(number - 500)])
    assert len(ends(schedule.steps())) == 10_000
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 3_000_000  # what dictionaries once needed
