"""The worker's side of Surefoot. See README.md beside this package: `load()` once, then `run(job, ...)` for each job."""

from .failure import CODES, Failure, KitError, classify
from .job import Job, parse_job
from .model import FunctionModel, Model, Report, find_model
from .progress import Canceled, Progress
from .transfer import Waiter
from .worker import Result, Settings, Worker, default_worker, load, run

__all__ = [
    "CODES",
    "Canceled",
    "Failure",
    "FunctionModel",
    "Job",
    "KitError",
    "Model",
    "Progress",
    "Report",
    "Result",
    "Settings",
    "Waiter",
    "Worker",
    "classify",
    "default_worker",
    "find_model",
    "load",
    "parse_job",
    "run",
]
