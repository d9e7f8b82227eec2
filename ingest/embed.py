"""Text → vectors by a sentence-transformers model in home/models; also the tokenizer that chunks are measured with."""

import ctypes
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import chain
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from corpora import UserError
from ingest.settings import Settings

if TYPE_CHECKING:  # imported where they are used: a look at an unchanged folder needs none of them
    import numpy as np
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

T = TypeVar("T")
DEFAULT = "all-MiniLM-L6-v2"
# Tokens, padding included, in one forward pass: on a CPU what its caches hold, on a GPU what keeps it busy.
TOKENS = {"cpu": 2**10, "cuda": 2**16}
GROUP = 512  # texts that are handed over at once: enough for full batches, few to do again after a kill
MANY = 100  # texts; a question waits for nothing


class Embedder:
    """Opened cheaply; the weights are loaded when the first text is embedded."""

    def __init__(self, folder: Path, languages: Sequence[str]) -> None:
        if not (folder / "config.json").is_file():
            raise UserError(f"No embedding model in {folder}.", "Unpack it: make up, or: serve model get all-MiniLM-L6-v2")
        self.folder = folder
        self.name = folder.name
        self.languages = tuple(languages)  # questions in others are searched by words alone
        self._guard = Lock()
        self._loading: Future[SentenceTransformer] | None = None

    @cached_property
    def dimension(self) -> int:
        return int(json.loads((self.folder / "config.json").read_text())["hidden_size"])

    @cached_property
    def tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        except Exception as error:  # the library raises nothing narrower
            raise self._damaged(error) from None
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def window(self) -> int:
        """Tokens the model reads at once, special ones included; what is over is cut unseen."""
        for name, key in (("sentence_bert_config.json", "max_seq_length"), ("config.json", "max_position_embeddings")):
            file = self.folder / name
            if file.is_file() and (found := json.loads(file.read_text()).get(key)):
                return int(found)
        return 512

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text in this model's own vocabulary, without the special ones.

        A word that the vocabulary gives up on is one token to the model; it is counted by its length, four characters a
        token, so that no heap of letters without a blank passes for a short text.
        """
        unknown = self._unknown
        return [
            len(e.ids) if unknown not in e.ids else sum(
                max(1, (b - a) // 4) if i == unknown else 1 for i, (a, b) in zip(e.ids, e.offsets, strict=True))
            for e in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ]  # fmt: skip

    @cached_property
    def _unknown(self) -> int | None:
        found = (self.tokenizer.token_to_id(name) for name in ("[UNK]", "<unk>"))
        return next((i for i in found if i is not None), None)

    def warm(self) -> None:
        """Begin to load the weights, so that they are there when the first texts have been read."""
        with self._guard:
            if self._loading is None:
                self._loading = Future()
                Thread(target=_settle, args=(self._loading, self._load), daemon=True).start()  # Ctrl-C does not wait for it

    def settle(self) -> None:
        """Wait for what `warm` began: another thread that imports meanwhile may be given half-made modules."""
        if self._loading:
            _ = self.model

    @property
    def model(self) -> "SentenceTransformer":
        """Raises what its loading raised, and tries again when it is next asked for."""
        self.warm()
        loading = self._loading
        assert loading
        try:
            return loading.result()
        except Exception:
            self._loading = None
            raise

    def _load(self) -> "SentenceTransformer":
        # Threads that wait by spinning starve each other when the model server computes beside us.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        # Hardly a batch has the shape of another, and of the thousand plans that would be kept each holds the layer's weights.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
        logging.getLogger("bitsandbytes").setLevel(
            logging.ERROR
        )  # imported on the way; its notes are not for our readers
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        cuda = torch.cuda.is_available() and os.environ.get("LECTERN_EMBED_DEVICE") != "cpu"
        # A GPU waits for its tokens: on an H200 several threads bring it twice as many. On a CPU they would only take the model's time.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true" if cuda else "false")
        kind = torch.float16 if cuda else torch.bfloat16 if multiplies_bf16() else torch.float32
        try:
            return SentenceTransformer(str(self.folder), device="cuda" if cuda else "cpu", local_files_only=True,
                                       model_kwargs={"dtype": kind})  # fmt: skip
        except MemoryError:
            raise
        except Exception as error:  # of four libraries, by what is missing or torn
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> UserError:
        said = " ".join(str(error).split())[:120]
        return UserError(f"The embedding model in {self.folder} is damaged ({type(error).__name__}: {said}).",
                         f"Remove that folder, then: make up, or: serve model get {self.name}")  # fmt: skip

    @cached_property
    def _pool(self) -> ThreadPoolExecutor | None:
        """On a CPU, a thread of one core for each batch: cores that share every multiplication wait for each other."""
        import torch

        if self.model.device.type != "cpu":
            return None
        self.model.encode("")  # sets the tokenizer's padding, which threads that share it may not do at once
        return ThreadPoolExecutor(torch.get_num_threads(), "embed", torch.set_num_threads, (1,))

    def encode(self, texts: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Unit vectors, float32, shape (len(texts), dimension)."""
        import numpy as np

        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        vectors = np.empty((len(texts), self.dimension), np.float32)

        def embed(batch: list[int]) -> None:
            found = self.model.encode([texts[i] for i in batch], batch_size=len(batch), show_progress_bar=False, convert_to_tensor=True)
            vectors[batch] = found.float().cpu().numpy()

        run = self._pool.map if self._pool and len(texts) > 1 else map
        lengths = chain.from_iterable(run(self.count, [texts[i : i + MANY] for i in range(0, len(texts), MANY)]))
        list(run(embed, batches(list(lengths), TOKENS[self.model.device.type])))
        if len(texts) > MANY:
            _give_back()
        # Here and not in the model, whose half precision would leave lengths of .996 to 1.004.
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def batches(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Indices of texts alike in length; as many together as do not pass `most`, each as long as the longest, or one."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and lengths[batch[0]] * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _settle(future: "Future[T]", make: Callable[[], T]) -> None:
    try:
        future.set_result(make())
    except BaseException as error:  # for whoever waits
        future.set_exception(error)


def _give_back() -> None:
    """Batches of ever other shapes leave holes in the C library's heap, gigabytes in an hour; return them to the system."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:  # not glibc
        pass


def multiplies_bf16() -> bool:
    """Does this processor multiply bf16 itself? Without that it is slower than fp32."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def open_embedder(settings: Settings) -> Embedder:
    """The machine's embedding model: LECTERN_EMBEDDER, else what `serve up` chose for this machine."""
    name = settings.embedder or settings.machine().get("embedder") or DEFAULT
    folder = settings.models / Path(name).name
    about = folder / "lectern.json"
    languages = json.loads(about.read_text()).get("languages") if about.is_file() else None
    return Embedder(folder, languages or ["en"])
