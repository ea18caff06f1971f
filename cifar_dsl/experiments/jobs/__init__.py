"""Jobs: trainings as plain data that can be sent to other processes, and the executors that run them."""

from cifar_dsl.experiments.jobs.executor import Executor
from cifar_dsl.experiments.jobs.inline import InlineExecutor
from cifar_dsl.experiments.jobs.job import Job, run_job
from cifar_dsl.experiments.jobs.local import LocalExecutor

__all__ = ["Executor", "InlineExecutor", "Job", "LocalExecutor", "run_job"]
