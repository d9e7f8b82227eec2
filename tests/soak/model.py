"""The embedding model cut down to its first layer: torments are about everything around it, and with all layers they would take hours."""

import shutil
from pathlib import Path

from ingest.embed import DEFAULT
from tests.bench.home import models


def shallow_models(folder: Path) -> None:
    """Make `folder` a home's models, with the shallow one under the default's name."""
    from sentence_transformers import SentenceTransformer

    whole = models() / DEFAULT
    model = SentenceTransformer(str(whole), device="cpu", local_files_only=True)
    bert = model[0].model
    bert.encoder.layer = bert.encoder.layer[:1]
    bert.config.num_hidden_layers = 1
    model.save(str(folder / DEFAULT), create_model_card=False)
    for name in ("lectern.json", "tokenizer.json"):
        shutil.copy(whole / name, folder / DEFAULT / name)
