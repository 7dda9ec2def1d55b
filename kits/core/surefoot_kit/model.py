"""What a kit runs: anything that turns the file at one path into a file at another."""

from __future__ import annotations

import importlib
import inspect
import os
from pathlib import Path
from typing import Any, Callable, Mapping, Protocol, runtime_checkable

from .failure import KitError

Report = Callable[..., None]
"""`report(stage)` or `report(stage, fraction)`, 0 to 1 of the model's own work. Raises `Canceled` once the run is cancelled."""


@runtime_checkable
class Model(Protocol):
    """
    A model. `field` names the input that holds its file. A model may have `output_name` besides, the name of its output with
    the right ending, for providers that take the file themselves (default `output`).

        class Invert:
            name, field = "invert", "image"
            def load(self, report): self.net = torch.load(...)
            def predict(self, image, output, report, options):
                report("predict", 0.1)
                ...write output...
    """

    name: str
    field: str

    def load(self, report: Report) -> None:
        """Brings the weights to the GPU; called once, before the first run or by `surefoot_kit.load()`."""

    def predict(self, image: Path, output: Path, report: Report, options: Mapping[str, Any]) -> None:
        """Writes `output`. Raises `KitError` to choose a failure code; other exceptions are read by `classify`."""


class FunctionModel:
    """A plain function `(image, output, report)` or `(image, output, report, options)` as a model that needs no loading."""

    field = "image"

    def __init__(self, function: Callable[..., object]) -> None:
        self.name = getattr(function, "__name__", "function")
        self._function = function
        self._takes_options = "options" in inspect.signature(function).parameters

    def load(self, report: Report) -> None:
        """Nothing to load."""

    def predict(self, image: Path, output: Path, report: Report, options: Mapping[str, Any]) -> None:
        """Calls the function."""
        if self._takes_options:
            self._function(image, output, report, options)
        else:
            self._function(image, output, report)


_OWN = {
    "dummy": "surefoot_kit.models.dummy:DummyModel",
    "sharp": "surefoot_kit.models.sharp:SharpModel",
    "background": "surefoot_kit.models.background:BackgroundModel",
    "border": "surefoot_kit.models.background:BorderModel",
}


def find_model(name: str | None = None) -> Model:
    """
    A model by name: `sharp`, `dummy`, `background`, `border`, or `package.module:thing` where thing is a class, an object or a
    function. Default: the environment's `SUREFOOT_KIT_MODEL`. Fails with `deployment_missing`.
    """
    name = name or os.environ.get("SUREFOOT_KIT_MODEL") or "sharp"
    place, _, thing = _OWN.get(name, name).partition(":")
    if not thing:
        known = ", ".join(_OWN)
        raise KitError("deployment_missing", f'There is no model "{name}": name one of {known}, or package.module:thing.')
    try:
        found = getattr(importlib.import_module(place), thing)
    except (ImportError, AttributeError) as error:
        raise KitError("deployment_missing", f'The model "{name}" cannot be imported: {error}') from error
    return as_model(found)


def as_model(thing: Any) -> Model:
    """A class (made without arguments), an object or a function as a model. Fails with `deployment_missing`."""
    made = thing() if isinstance(thing, type) else thing
    if isinstance(made, Model):
        return made
    if callable(made):
        return FunctionModel(made)
    raise KitError("deployment_missing", f"{made!r} is neither a model nor a function.")
