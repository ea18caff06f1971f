"""Augmentation of training images. The result for an image is a function of (seed, epoch, image).

A chain applies its augmentations in order. There are three kinds:

    moves     map each output pixel to a source pixel; successive moves share one gather
    changes   change the values of pixels
    mixtures  combine two images into one; they come last
"""

from cifar_dsl.training.augmentation.pipeline import Batch, augmented

__all__ = ["Batch", "augmented"]
