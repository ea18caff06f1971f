"""What a network predicts for one picture."""

from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import percent


@frozen
class Prediction:
    """The probability of each class for one picture.

    `classes` and `probabilities` are in the order of the network's outputs. `picture` is the file, None for an
    array.
    """

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]
    picture: str | None = None

    def top(self, count: int = 5) -> tuple[tuple[str, float], ...]:
        """The most probable classes, each with its probability, highest first; ties in the order of the classes."""
        order = sorted(range(len(self.classes)), key=lambda index: -self.probabilities[index])
        return tuple((self.classes[index], self.probabilities[index]) for index in order[:count])

    @property
    def name(self) -> str:
        """The most probable class."""
        return self.top(1)[0][0]

    @property
    def probability(self) -> float:
        """The probability of the most probable class."""
        return max(self.probabilities)

    def __str__(self) -> str:
        return f"{self.name} ({percent(self.probability)})"
