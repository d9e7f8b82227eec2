"""Seeds on a CPU: called by the plugin for adapters (`serve.lora_cpu`), since vLLM's CPU build dies of a request that has one.

Where a prompt is read in parts vLLM sets the request's generator back by what was drawn too early; a CPU's generator has no such offset,
and the error ends the whole server. Here it is left as it is: a prompt that was read in parts may draw otherwise another time.
"""

from functools import wraps
from typing import Any


def register() -> None:
    from vllm.v1.worker.gpu_model_runner import GPUModelRunner

    keep = GPUModelRunner._bookkeeping_sync

    @wraps(keep)
    def without_setting_back(self: Any, *args: Any, **kwargs: Any) -> Any:
        batch = self.input_batch
        generators, batch.generators = batch.generators, {}
        try:
            return keep(self, *args, **kwargs)
        finally:
            batch.generators = generators

    GPUModelRunner._bookkeeping_sync = without_setting_back
