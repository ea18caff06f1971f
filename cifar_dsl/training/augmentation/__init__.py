"""Augmentation, each image by itself: what it becomes is a function of (seed, epoch, image).

A chain is worked off from front to back by three kinds of stages:

    moves     say for every pixel from where it comes; those that follow each other cost one gather together
    changes   give pixels other values
    mixtures  make one picture of two; they stand last
"""

from cifar_dsl.training.augmentation.pipeline import Batch, augmented

__all__ = ["Batch", "augmented"]
