"""Models that end as a test wants it; `SUREFOOT_KIT_MODEL=trial_model:NAME`."""

import os
import time

from surefoot_kit import KitError


def refuses(image, output, report):
    """What a model says of a photo that it cannot use."""
    report("predict", 0.1)
    raise KitError("input_invalid", "There is no scene in the photo.")


def breaks(image, output, report):
    """A bug."""
    report("predict", 0.1)
    raise ZeroDivisionError("division by zero")


def vanishes(image, output, report):
    """The process dies as under the kernel's out-of-memory killer."""
    report("predict", 0.1)
    os._exit(137)


def waits(image, output, report):
    """Works for as long as nobody cancels it, at most five minutes, and reports all the time."""
    for step in range(3000):
        report("predict", min(0.9, 0.3 + step / 10_000))
        time.sleep(0.1)
