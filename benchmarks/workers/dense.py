"""The reference: a TopK autoencoder as a textbook writes it, dense throughout, autograd and Adam in float32.

    f = TopK(ReLU((x - b_dec) W_enc + b_enc))    y = f W_dec + b_dec    L = mean (x - y)^2

No auxiliary loss, clipping, decoder norm or counters: the least that a dense step can do. settings: `lr`.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.workers.feed import Made, Task, serve


def train(task: Task, batches: Iterator[Tensor]) -> Made:
    W_dec = torch.nn.functional.normalize(torch.randn(task.n_features, task.d_in), dim=1).requires_grad_()
    W_enc = W_dec.detach().T.clone().requires_grad_()
    b_enc = torch.zeros(task.n_features, requires_grad=True)
    b_dec = torch.zeros(task.d_in, requires_grad=True)
    adam = torch.optim.Adam([W_enc, W_dec, b_enc, b_dec], lr=task.settings["lr"])

    def encode(x: Tensor) -> Tensor:
        top = torch.topk(torch.relu((x - b_dec) @ W_enc + b_enc), task.k, dim=1)
        return torch.zeros(len(x), task.n_features).scatter(1, top.indices, top.values)

    for x in batches:
        loss = (encode(x) @ W_dec + b_dec - x).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()

    return Made(encode, lambda f: f @ W_dec + b_dec)


if __name__ == "__main__":
    serve(train)
