"""`make torture`: creates are killed with SIGKILL, run again, and counted at the provider.

For each provider, for one part and for several, the command is killed at every request boundary (as the provider
receives a request, and after it has carried it out but before its answer is seen) and at random instants, until
`--instants` of these have met it alive. After each kill the same command runs again, undisturbed. Then the provider
must have exactly one batch per part, and the results must be complete. What is counted is what the emulator stored,
not what the command says.
"""

import argparse
import random
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from kills import torture

from bifrost_cli.providers import PROVIDERS


def main() -> None:
    """Run, and print kills, duplicates and lost for each provider."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--instants", type=int, default=200, help="kills of each provider at random instants")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--provider", choices=list(PROVIDERS), action="append")
    parser.add_argument("--jobs", type=int, default=2, help="providers at a time, each in a process of its own")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        names = options.provider or PROVIDERS
        runs = [pool.submit(torture, name, options.instants, options.seed) for name in names]
        tallies = []
        for run in as_completed(runs):
            tallies.append(run.result())
            print(*[tallies[-1], *tallies[-1].failures], sep="\n", flush=True)
    sys.exit(not all(tally.clean for tally in tallies))


if __name__ == "__main__":
    main()
