"""What is known of the models: how they are told to think, and what their requests may hold.

Sources: Google's pages "Gemini thinking", "Thought signatures", "File input methods" and the what's-new pages of
Gemini 3.5 to 4 (documented, November 2026).
"""

import re
from typing import NamedTuple

LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")


class Traits(NamedTuple):
    """Of one model. It takes thinking `levels` (from low to high), or a thinking `budget` (least and most tokens), or
    it does not think.

    `pauses`: a budget of 0 turns thinking off. `rests`: it hardly thinks unless asked. `signs`: it refuses a replayed
    tool call without its thought signature, and takes media in tool results. `continues`: a conversation may end with
    the model's own turn. `fetches`: it takes https addresses of files.
    """

    levels: tuple[str, ...] = ()
    budget: tuple[int, int] | None = None
    pauses: bool = False
    rests: bool = False
    signs: bool = False
    continues: bool = True
    fetches: bool = True

    @property
    def thinks(self) -> bool:
        """It can be told to think."""
        return bool(self.levels or self.budget)


PLAIN = Traits(fetches=False)
THREE = Traits(levels=LEVELS[:4], signs=True)
NEWEST = Traits(levels=LEVELS[1:4], signs=True, continues=False)
UNKNOWN = Traits(levels=LEVELS[1:4], signs=True)
MODELS = (
    (r"gemini-(1|2\.0)|gemma-|learnlm-", PLAIN),
    (r"gemini-2\.5-flash(-preview)?-(image|tts)|gemini-2\.5-pro-preview-tts", Traits()),
    (r"gemini-2\.5-pro", Traits(budget=(128, 32_768))),
    (r"gemini-2\.5-flash-lite", Traits(budget=(512, 24_576), pauses=True, rests=True)),
    (r"gemini-2\.5-", Traits(budget=(1, 24_576), pauses=True)),
    (r"gemini-3-pro", Traits(levels=("LOW", "HIGH"), signs=True)),
    (r"gemini-3\.1-pro", Traits(levels=LEVELS[1:4], signs=True)),
    (r"gemini-3\.1-flash-lite", THREE._replace(rests=True)),
    (r"gemini-3\.5-flash-lite", THREE._replace(rests=True, continues=False)),
    (r"gemini-3(\.[1-5])?-", THREE),
    (r"gemini-3\.6-", THREE._replace(continues=False)),
    (r"gemini-4-hydrogen", NEWEST._replace(levels=LEVELS[1:])),
    (r"gemini-([3-9]|\d\d)|gemini-.*latest", NEWEST),
)
"""First match wins, at the start of the name. What later models are like is taken from the newest that are known."""


def traits(model: str) -> Traits:
    """What is known of a model."""
    return next((known for pattern, known in MODELS if re.match(pattern, model)), UNKNOWN)
