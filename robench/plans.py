"""Plans of many requests: what is alike in them is loaded, looked up and tried once."""

from collections.abc import Sequence

from robench.data import Data
from robench.known import Known
from robench.planning import Plan, Request, plan


def planned(requests: Sequence[Request], loaded: dict[str, Data] | None = None) -> list[Plan]:
    """Plan the requests, loading equal data once; of requests for one run the first is kept.

    `loaded`: data at hand from an earlier call; what this one loads is added.
    """
    loaded = {} if loaded is None else loaded
    plans: dict[object, Plan] = {}
    known = Known()
    for request in requests:
        asked = data_asked_for(request)
        wanted = plan(request, loaded.get(asked), known)
        loaded[asked] = wanted.data
        plans.setdefault((wanted.root, wanted.spec.key), wanted)
    return list(plans.values())


def data_asked_for(request: Request) -> str:
    """Return a name for the data of a request: equal names mean equal data."""
    settings = {k: v for k, v in request.settings.items() if k.startswith("dataset.")}
    where = [request.data_dir, request.runs, request.device]
    return repr([request.dataset, sorted(settings.items()), request.validation, *where])
