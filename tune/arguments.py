"""Arguments of the command line that several commands of tune share, and what each makes of them."""

import math
import sys
from argparse import ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.settings import Settings
    from tune.talk import Talk


def settings_for(args: Namespace) -> "Settings":
    """This machine's settings; an unknown corpus is told before anything heavy is imported."""
    from corpora import load_profile
    from ingest.settings import Settings

    settings = Settings()
    load_profile(args.corpus, settings.root)
    return settings


def at_least_one(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10**9:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def price(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ArgumentTypeError(f"{text!r} is no price")
    return value


def adapter_named(text: str) -> int | str:
    """A version's number, or a name that vLLM serves."""
    return at_least_one(text) if text.isdecimal() else text


def talk(args: Namespace) -> "Talk":
    """How this command tells its progress: on stderr where stdout is for a machine."""
    from tune import processes
    from tune.talk import Talk

    if not processes.is_first():
        return Talk(lambda line: None, for_machine=True)
    return Talk(lambda line: print(line, file=sys.stderr if args.json else sys.stdout, flush=True), for_machine=args.json)
