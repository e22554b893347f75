"""Runs a network on a data loader. MONAI's SupervisedEvaluator does more, and needs PyTorch Ignite."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from monai.data import DataLoader, decollate_batch
from torch import nn


def load_weights(network: nn.Module, path: str, device: torch.device) -> nn.Module:
    network.load_state_dict(torch.load(Path(path), map_location="cpu", weights_only=True))
    return network.to(device, memory_format=torch.channels_last).eval()


class Evaluator:
    """Calls `postprocessing` with each prediction and the metadata of its image, as decollated dictionaries."""

    def __init__(
        self,
        dataloader: DataLoader,
        network: nn.Module,
        inferer: Callable[..., torch.Tensor],
        postprocessing: Callable[[dict[str, Any]], object],
        device: torch.device,
    ) -> None:
        self._dataloader, self._network, self._device = dataloader, network, device
        self._inferer, self._postprocessing = inferer, postprocessing

    def run(self) -> None:
        count = 0
        with torch.inference_mode():
            for batch in self._dataloader:
                images = batch["image"].to(self._device)
                batch["pred"] = self._inferer(images.as_tensor(), self._network)
                for item in decollate_batch(batch):
                    self._postprocessing({"pred": item["pred"], "image_meta_dict": item["image"].meta})
                    count += 1
        print(f"{count} images classified", flush=True)
