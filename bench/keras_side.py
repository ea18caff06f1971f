"""The side of Keras with TensorFlow in bench/cpu_training.py, which starts it with a Python that has both.

It imports nothing of cifar_dsl and no torch. The networks are those of specs/baseline.arch and specs/residual.arch.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from serving import serve

NETWORKS = ("baseline", "residual")
_STEPS_PER_EXECUTION = 25  # those of a call of TensorFlow


def main() -> None:
    """Serve epochs of `fit`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--precision", choices=("fp32", "bf16"), required=True)
    parser.add_argument("--together", action="store_true", help=f"{_STEPS_PER_EXECUTION} steps in a call")
    serve(_epochs(parser.parse_args()))


def _epochs(options: argparse.Namespace) -> Callable[[], float]:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    if options.precision == "bf16":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    keras.utils.set_random_seed(0)
    images = keras.Input((32, 32, 3))
    body = _baseline if options.network == "baseline" else _residual
    x = keras.layers.Flatten()(body(keras, images))
    x = keras.layers.Dense(64, activation="relu")(x)
    model = keras.Model(images, keras.layers.Dense(10, dtype="float32")(x))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=_STEPS_PER_EXECUTION if options.together else 1,
    )
    generator = np.random.default_rng(0)
    count = options.steps * options.batch
    pixels = generator.integers(0, 256, (count, 32, 32, 3), np.uint8).astype(np.float32) / 127.5 - 1
    labels = generator.integers(0, 10, count)

    class Clock(keras.callbacks.Callback):
        begun = time_s = 0.0

        def on_epoch_begin(self, *_: Any) -> None:
            self.begun = time.perf_counter()

        def on_epoch_end(self, *_: Any) -> None:
            self.time_s = time.perf_counter() - self.begun

    def run() -> float:
        clock = Clock()
        model.fit(pixels, labels, batch_size=options.batch, verbose=0, callbacks=[clock])
        return clock.time_s

    return run


def _baseline(keras: Any, x: Any) -> Any:
    layers = keras.layers
    for channels in (32, 64):
        x = layers.MaxPooling2D(2)(layers.Conv2D(channels, 3, activation="relu")(x))
    return layers.Conv2D(64, 3, activation="relu")(x)


def _residual(keras: Any, x: Any) -> Any:
    layers = keras.layers
    for channels in (32, 64, 64):
        y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(channels, 3, padding="same")(x)))
        y = layers.BatchNormalization()(layers.Conv2D(channels, 3, padding="same")(y))
        x = layers.MaxPooling2D(2)(layers.ReLU()(layers.add([y, layers.Conv2D(channels, 1)(x)])))
    return x


if __name__ == "__main__":
    main()
