"""The whole of `batch create` and `batch results` at growing numbers of requests: time, and the most memory."""

from collections.abc import Iterator

import lines
import translate
from kit import MEGABYTES, Growth, Row, Series, Setup, Target
from processes import BIFROST, Peak, environment, peak_of, run, upstream

SIZES = [1_000, 10_000, 100_000, 1_000_000]
MOST = 120e6


def measure(setup: Setup) -> Iterator[Row | Growth]:
    """Each size once: memory is the same each time, and the time at the largest is long enough."""
    sizes = SIZES[:-1] if setup.quick else SIZES
    created, read = {}, {}
    with upstream(setup.folder) as provider:
        for size in sizes:
            created[size], read[size] = _run(setup, provider.url, size)
    yield translate.growth(setup, sizes)
    for name, runs in (("create", created), ("results", read)):
        small, large = (Series((runs[size].memory,)) for size in (sizes[1], sizes[-1]))
        targets = (Target("ratio", 1.3), Target("value", MOST))
        what = f"memory of `batch {name}`, {sizes[-1]:,} requests"
        yield Row(what, MEGABYTES, large, f"itself at {sizes[1]:,}", small, targets)
        yield Growth(f"`batch {name}`", {size: _shown(peak) for size, peak in runs.items()})
        yield Growth(f"its memory ({name})", {size: MEGABYTES.show(peak.memory) for size, peak in runs.items()})


def _shown(peak: Peak) -> str:
    return f"{peak.seconds:.3g} s ({peak.cpu:.3g} s cpu)"


def _run(setup: Setup, url: str, size: int) -> tuple[Peak, Peak]:
    """A create, and a reading of its results."""
    environ = environment(setup.folder / f"home-{size}", url)
    path = lines.write(setup.folder / "requests.jsonl", lines.texts(size, lines.GPT))
    created = peak_of(["batch", "create", str(path), "-p", "openai", "-q"], environ, setup.folder)
    path.unlink()
    out = setup.folder / "results.jsonl"
    results = ["batch", "results", created.said.strip(), "-q", "-o", str(out)]
    run([BIFROST, *results, "--raw"], environ)  # The provider makes its files.
    read = peak_of([*results, "--force"], environ, setup.folder)
    assert sum(1 for _ in out.open("rb")) == size
    out.unlink()
    return created, read
