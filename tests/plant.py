"""A small corpus for the tests of tune: two manuals to learn from, one held out, indexed for real."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from ingest.index import Index
from ingest.settings import Settings
from serve.chain import Assistant, open_assistant
from serve.tokenizer import counter
from tests.conftest import copy
from tune.data import one_thread
from tune.heldout import held_out_versions
from tune.maker import Maker
from tune.talk import Talk

CORPUS = "plant"
HELD_OUT = "qx-9-mixer-manual.md"
SECRET = "QX-E77"  # stands in the held-out manual alone
PRESS = """# PM-7 Press: Maintenance Manual

## 1 Data

| Item | Value |
| --- | --- |
| Working pressure | 210 bar |
| Oil volume | 63 L |
| Table height | 880 mm |
| Ram speed, closing | 95 mm/s |
| Noise at the desk | 74 dB(A) |

## 2 Faults

| Code | Meaning | Likely cause | Remedy |
| --- | --- | --- | --- |
| PM-E11 | Oil temperature over 62 °C | Cooler dusty | Blow out the cooler |
| PM-E12 | Pressure does not build up | Relief valve stuck | Clean relief valve RV2 |
| PM-E13 | Light curtain interrupted | Lens dirty | Wipe the lens of curtain LC1 |
| PM-E14 | Oil level low | Leak at the cylinder | Tighten the gland, then fill up |

## 3 Care

### 3.1 Oil

Before opening the tank, lower the ram and wait 4 minutes until the accumulator is empty. If the oil looks milky, change it at once
and search for water in the cooler. Do not mix mineral oil with ester oil, because the seals swell in the mixture.

WARNING: The accumulator holds 140 bar after the pump has stopped.

### 3.2 Guides

The guide play must stay below 0.15 mm over the whole stroke. Grease the guides every 250 hours with 20 g of lithium grease.
"""
FAN = """# FK-3 Fan: Operating Manual

## 1 Data

| Item | Value |
| --- | --- |
| Impeller diameter | 560 mm |
| Motor power | 5.5 kW |
| Belt tension, new belt | 310 N |
| Mass | 118 kg |

## 2 Torques

| Joint | Size | Torque |
| --- | --- | --- |
| Impeller hub | M10 | 44 N·m |
| Motor rail | M12 | 72 N·m |
| Inlet cone | M6 | 9 N·m |

## 3 Work

After the first 20 hours the belt is tensioned again. The bearings take 12 g of grease every 1500 hours. When the fan stands for more
than 3 weeks, turn the shaft by hand once a week.
"""
MIXER = f"""# QX-9 Mixer: Service Manual

## 1 Faults

| Code | Meaning | Remedy |
| --- | --- | --- |
| {SECRET} | Shaft speed below 31 rpm | Replace the coupling star KS9 |
| QX-E78 | Lid switch open | Close the lid and press reset |

## 2 Care

The mixer drum may be filled to 415 L of dry goods. Before entering the drum, lock the isolator and wait 6 minutes for the brake.
"""
PROFILE = {
    "title": "Small plant", "description": "Three manuals.", "languages": ["en"],
    "serve": {"keep": 2, "max_tokens": 60}, "tune": {"held_out": [HELD_OUT], "rank": 8},
}  # fmt: skip
SILENT = Talk(lambda line: None)


def make_plant(home: Path, folder: Path) -> Settings:
    """The corpus indexed in `folder`, with the models of `home`."""
    copy(home / "models", folder / "models")
    corpus = folder / "corpora" / CORPUS
    documents = corpus / "documents"
    documents.mkdir(parents=True)
    (corpus / "profile.yaml").write_text(yaml.safe_dump(PROFILE), encoding="utf-8")
    for name, text in (("pm-7-press-manual.md", PRESS), ("fk-3-fan-manual.md", FAN), (HELD_OUT, MIXER)):
        (documents / name).write_text(text, encoding="utf-8")
    settings = Settings(home=folder, tier="cpu", chroma_url="", vllm_port=1)
    reports = Index(CORPUS, settings).add([documents])
    assert [r.status for r in reports] == ["added"] * 3
    return settings


@contextmanager
def opened(settings: Settings) -> Iterator[Assistant]:
    """The plant's assistant, for as long as its index is open."""
    assistant = open_assistant(CORPUS, settings)
    with assistant.searcher, one_thread():
        yield assistant


def maker_of(assistant: Assistant) -> Maker:
    held = held_out_versions(assistant.profile, assistant.searcher.manifest)
    return Maker(assistant, held, counter(assistant.settings.models / assistant.tier.base.id))
