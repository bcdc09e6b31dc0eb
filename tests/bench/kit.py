"""Measurements: repeats of a floor and of ours in turn, and what they come to beside a target."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple


class Series(NamedTuple):
    """Repeats of one measurement, in seconds or bytes; less is better."""

    values: tuple[float, ...]

    @property
    def best(self) -> float:
        """The least: what disturbs a measurement only ever adds to it."""
        return min(self.values)

    @property
    def spread(self) -> float:
        """How far the median is above the best, as a share of it."""
        return statistics.median(self.values) / self.best - 1 if self.best else 0.0


class Target(NamedTuple):
    """What a row is to reach. `ratio`: ours at most so many floors; `rate`: at least so much of the floor's rate;
    `added`: at most so much more than the floor; `value`: at most so much."""

    of: Literal["ratio", "rate", "added", "value"]
    limit: float


@dataclass(frozen=True)
class Unit:
    """How a value is shown: `scale` times the value in seconds or bytes. With `work` it is shown as a rate: so much
    of `name` in one measurement."""

    name: str
    scale: float = 1.0
    work: float | None = None

    def show(self, value: float) -> str:
        """With its unit."""
        return f"{figures(self.work / value if self.work else value * self.scale)} {self.name}"


def figures(number: float) -> str:
    """Three of them, or all before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


SECONDS, MILLISECONDS, MEGABYTES = Unit("s"), Unit("ms", 1e3), Unit("MB", 1e-6)


def rate(name: str, work: float) -> Unit:
    """A rate, such as `calls/s`."""
    return Unit(name, work=work)


@dataclass
class Row:
    """One figure beside its floor and its targets. `cpu` is the processor time of ours and of the floor, in seconds a
    call."""

    what: str
    unit: Unit
    ours: Series
    floor_is: str = ""
    floor: Series | None = None
    targets: tuple[Target, ...] = ()
    cpu: tuple[float, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether all targets are; None where there are none."""
        return all(self._reaches(target) for target in self.targets) if self.targets else None

    def _reaches(self, target: Target) -> bool:
        ours, floor = self.ours.best, self.floor.best if self.floor else 0.0
        match target.of:
            case "ratio":
                return ours <= target.limit * floor
            case "rate":
                return floor >= target.limit * ours
            case "added":
                return ours - floor <= target.limit
            case "value":
                return ours <= target.limit

    def comparison(self) -> str:
        """Ours against the floor: times its time, times its rate, or what is added."""
        if self.floor is None:
            return ""
        if any(target.of == "added" for target in self.targets):
            return f"+ {self.unit.show(self.ours.best - self.floor.best)}"
        ratio = self.floor.best / self.ours.best if self.unit.work else self.ours.best / self.floor.best
        return f"{ratio:.2f} ×"

    def aims(self) -> str:
        """The targets in words."""
        signs = {"ratio": "≤ {:g} ×", "rate": "≥ {:g} ×"}
        return ", ".join(
            signs[each.of].format(each.limit) if each.of in signs else f"≤ {self._sum(each)}" for each in self.targets
        )

    def _sum(self, target: Target) -> str:
        return ("+ " if target.of == "added" else "") + self.unit.show(target.limit)

    def cells(self) -> dict[str, str]:
        """The row as it is read."""
        shown = [self.unit.show(series.best) for series in (self.ours, self.floor) if series]
        if self.cpu:
            shown = [f"{value} ({figures(cpu * 1e3)} ms cpu)" for value, cpu in zip(shown, self.cpu, strict=True)]
        return {
            "what": self.what,
            "bifrost": shown[0],
            "floor": f"{shown[1]}: {self.floor_is}" if self.floor else "",
            "ratio": self.comparison(),
            "target": self.aims(),
        }

    def saved(self) -> dict[str, Any]:
        """The row with all that was measured."""
        series = {"ours": _brief(self.ours.values), "floors": _brief(self.floor.values) if self.floor else None}
        targets = [target._asdict() for target in self.targets]
        return {**self.cells(), "met": self.met, **series, "cpu": _brief(self.cpu), "targets": targets}


def _brief(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


class Growth(NamedTuple):
    """One figure at growing numbers of requests, each as it is read."""

    what: str
    figures: dict[int, str]


@dataclass(frozen=True)
class Setup:
    """Where to work, and whether to measure less for a quick look."""

    folder: Path
    quick: bool

    def repeats(self, number: int) -> int:
        """How often to measure."""
        return (number + 1) // 2 if self.quick else number

    def size(self, number: int) -> int:
        """How much to measure with; a multiple of a hundred."""
        return max(100, number // 5) if self.quick else number


def timed(act: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Callable[[], float]:
    """`act` as a measurement: its seconds by that clock."""

    def measure() -> float:
        start = clock()
        act()
        return clock() - start

    return measure


def in_turn(repeats: int, *measures: Callable[[], float]) -> list[Series]:
    """Each measurement `repeats` times, one after the other in each round, so that what disturbs one disturbs all."""
    rounds = [[measure() for measure in measures] for _ in range(repeats)]
    return [Series(values) for values in zip(*rounds, strict=True)]
