"""Merkle proofs of transparency-dev, good and bad, and the reference tree of RFC 6962's first implementation."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.suite import Row
from keys.errors import MalformedError
from registry.log.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from registry.log.tiles import Edge, grow, node_reader


def rows(folder: Path) -> Iterator[Row]:
    """A row for each kind of proof, and one for the reference tree."""
    data = folder / "merkle" / "transparency-dev-merkle" / "testdata"
    yield _proofs("Merkle inclusion proofs", data / "inclusion", _included)
    yield _proofs("Merkle consistency proofs", data / "consistency", _consistent)
    yield _reference(folder / "merkle" / "rfc6962_reference_tree.json")


def _decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _included(case: dict[str, Any]) -> None:
    proof = [_decoded(one) for one in case["proof"] or ()]
    leaf, root = _decoded(case["leafHash"]), _decoded(case["root"])
    verify_inclusion(leaf, case["leafIdx"], case["treeSize"], proof, root)


def _consistent(case: dict[str, Any]) -> None:
    proof = [_decoded(one) for one in case["proof"] or ()]
    verify_consistency(case["size1"], case["size2"], _decoded(case["root1"]), _decoded(case["root2"]), proof)


def _proofs(name: str, folder: Path, verify: Callable[[dict[str, Any]], None]) -> Row:
    deviations: list[tuple[str, str]] = []
    cases = sorted(folder.rglob("*.json"))
    for path in cases:
        case = json.loads(path.read_bytes())
        try:
            verify(case)
            refused = False
        except MalformedError:
            refused = True
        if refused != case["wantErr"]:
            deviations.append((str(path.relative_to(folder)), "refused" if refused else "accepted"))
    passed = len(cases) - len(deviations)
    return Row(name=name, passed=passed, total=len(cases), deviations=tuple(deviations), goal="all", met=passed == 98)


def _reference(path: Path) -> Row:
    """Roots of every size, and every proof between them, from tiles that grew one leaf at a time."""
    tree = json.loads(path.read_bytes())
    leaves = [leaf_hash(bytes.fromhex(text)) for text in tree["leaf_inputs"]]
    edge, tiles, roots = Edge(), dict[tuple[int, int], bytes](), [Edge().root]
    for leaf in leaves:
        edge, changed = grow(edge, [leaf])
        tiles |= changed
        roots.append(edge.root)
    wanted = [bytes.fromhex(text) for text in tree["root_hashes_by_size"]]
    wrong = [(f"size {size}", "another root") for size in range(len(wanted)) if roots[size] != wanted[size]]
    node = node_reader(lambda level, number: tiles[level, number])
    for size in range(1, len(wanted)):
        for index in range(size):
            verify_inclusion(leaves[index], index, size, inclusion_proof(index, size, node), wanted[size])
            first = index + 1
            verify_consistency(first, size, wanted[first], wanted[size], consistency_proof(first, size, node))
    total = len(wanted)
    return Row(
        name="RFC 6962 reference tree, roots by size",
        passed=total - len(wrong),
        total=total,
        deviations=tuple(wrong),
        goal="all",
        met=not wrong,
    )
