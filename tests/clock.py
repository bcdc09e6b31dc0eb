"""The emulators' clock in tests whose outcome must not depend on how fast the machine is."""

import time
from dataclasses import dataclass, field


@dataclass
class Clock:
    """It stands but for a test's jumps; each look moves it by a `tick`, so that what is made later is younger."""

    tick: float = 1e-5
    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        self.now += self.tick
        return self.now

    def set(self) -> None:
        """To the machine's time."""
        self.now = time.time()
