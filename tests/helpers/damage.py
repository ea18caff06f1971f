"""Files whose content has changed."""

import random


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The same with one bit flipped, or cut short."""
    if chance.random() < 0.5:
        return content[: chance.randrange(len(content))]
    flipped = bytearray(content)
    flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return bytes(flipped)
