"""Trainings as plain data, which can be sent to other processes, and those that run them."""

from cifar_dsl.jobs.executor import Executor
from cifar_dsl.jobs.inline import InlineExecutor
from cifar_dsl.jobs.job import (
    Began,
    EpochEnded,
    Event,
    Failed,
    Finished,
    Job,
    Noted,
    Stepped,
    Stopped,
    run_job,
)
from cifar_dsl.jobs.local import LocalExecutor

__all__ = [
    "Began",
    "EpochEnded",
    "Event",
    "Executor",
    "Failed",
    "Finished",
    "InlineExecutor",
    "Job",
    "LocalExecutor",
    "Noted",
    "Stepped",
    "Stopped",
    "run_job",
]
