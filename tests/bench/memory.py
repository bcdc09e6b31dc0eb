"""The whole of `batch create` and `batch results` at growing numbers of requests: time, and the most memory."""

from collections.abc import Iterator

import lines
import translate
from kit import MEGABYTES, Growth, Row, Series, Setup, Target
from processes import environment, peak_of, upstream

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
        small, large = (Series((runs[size][1],)) for size in (sizes[1], sizes[-1]))
        targets = (Target("ratio", 1.3), Target("value", MOST))
        what = f"memory of `batch {name}`, {sizes[-1]:,} requests"
        yield Row(what, MEGABYTES, large, f"itself at {sizes[1]:,}", small, targets)
        yield Growth(f"`batch {name}`", {size: f"{runs[size][0]:.3g} s" for size in sizes})
        yield Growth(f"memory of `batch {name}`", {size: MEGABYTES.show(runs[size][1]) for size in sizes})


def _run(setup: Setup, url: str, size: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Seconds and bytes of a create, and of reading its results."""
    environ = environment(setup.folder / f"home-{size}", url)
    path = lines.write(setup.folder / "requests.jsonl", lines.texts(size, lines.GPT))
    create = ["batch", "create", str(path), "-p", "openai", "-q"]
    id, *created = peak_of(create, environ, setup.folder)
    path.unlink()
    out = setup.folder / "results.jsonl"
    results = ["batch", "results", id.strip(), "-o", str(out), "-q"]
    peak_of(["batch", "results", id.strip(), "--raw", "-o", str(out)], environ, setup.folder)
    _, *read = peak_of([*results, "--force"], environ, setup.folder)
    assert sum(1 for _ in out.open("rb")) == size
    out.unlink()
    return tuple(created), tuple(read)  # type: ignore[return-value]
