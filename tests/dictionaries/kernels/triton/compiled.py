"""Compiles every kernel for a GPU that need not be there, and prints as JSON what came out of it.

python compiled.py 90      for compute capability 9.0
"""

import json
import sys

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from monosema.dictionaries.kernels.triton import plan, rank, scan, split, sums

F32, I32, I64 = "*fp32", "*i32", "*i64"
FLOATS = {"bf16": "*bf16", "f32": "*fp32"}


def compiled(kernel, types: list[str], blocks: dict[str, object], arch: int, warps: int = 4, stages: int = 3) -> dict:
    """Registers spilled and shared memory of a kernel whose run-time arguments have these types."""
    names = kernel.arg_names
    signature = dict(zip(names, types, strict=False)) | dict.fromkeys(blocks, "constexpr")
    aligned = {(at,): [["tt.divisibility", 16]] for at, kind in enumerate(types) if kind.startswith("*")}
    aligned |= {(at,): [["tt.divisibility", 16]] for at, name in enumerate(names) if name in ("d", "d_padded")}
    source = ASTSource(kernel, signature, constexprs=blocks, attrs=aligned)
    done = triton.compile(
        source, target=GPUTarget("cuda", arch, 32), options={"num_warps": warps, "num_stages": stages}
    )
    return {"shared": done.metadata.shared, "wgmma": "wgmma" in done.asm["ptx"], "mma": "mma.sync" in done.asm["ptx"]}


def scans(arch: int, precision: str) -> dict[str, dict]:
    tile = plan.FLOAT32 if precision == "f32" else plan.HOPPER if arch == 90 else plan.AMPERE
    blocks = {"ROWS": tile.rows, "FEATURES": tile.features, "DEPTH": tile.depth, "HEIGHT": scan.HEIGHT, "WIDEN": False}
    kind = FLOATS[precision]
    how = {"arch": arch, "warps": tile.warps, "stages": tile.stages}
    nominate = [kind, kind, *[F32] * 6, I32, I64, *["i32"] * 4]
    return {
        f"peaks {precision}": compiled(
            scan._peaks, [kind, kind, F32, F32, "i32", "i32", "i32"], {"GROUP": plan.GROUP, **blocks}, **how
        ),
        f"nominate {precision}": compiled(scan._nominate, nominate, {"LAST": rank.LAST, **blocks}, **how),
    }


def everything(arch: int) -> dict[str, dict]:
    rows = {"ROWS": 4, "WIDTH": 1024}
    gathered = {"ENTRIES": 8, "WIDTH": 256}
    return {
        **scans(arch, "bf16"),
        **scans(arch, "f32"),
        "split": compiled(split._split, [F32, FLOATS["bf16"], F32, F32, *["i32"] * 4], rows, arch),
        "kth_largest": compiled(rank._kth_largest, [I64, I64, "i32", "i32", "i32"], rows, arch),
        "sum_pieces": compiled(sums._sum_pieces, [I64, F32, *[I64] * 4, F32, F32, F32, "i32"], gathered, arch),
        "pair_products": compiled(sums._pair_products, [F32, F32, I64, I64, F32, "i32", "i32"], gathered, arch),
    }


if __name__ == "__main__":
    print(json.dumps(everything(int(sys.argv[1]))))
