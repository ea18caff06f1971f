"""Datasets: published ones such as CIFAR-10, the embedded shapes, or a user's own."""

from cifar_dsl.training.datasets.choice import DataChoice, choose_data
from cifar_dsl.training.datasets.dataset import Dataset
from cifar_dsl.training.datasets.load import data_directory, load_dataset

__all__ = ["DataChoice", "Dataset", "choose_data", "data_directory", "load_dataset"]
