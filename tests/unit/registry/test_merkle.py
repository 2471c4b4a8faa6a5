"""The log's tree: held to a naive reading of RFC 6962 2.1, to its own laws, and to the examples of C2SP."""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import MalformedError
from registry.canonical import canonical_json
from registry.log.checkpoint import Checkpoint, TreeHead, read_checkpoint
from registry.log.entry import credential_entry, policy_entry, report_entry
from registry.log.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    hash_of,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from registry.log.tiles import (
    MAX_ENTRY,
    WIDTH,
    Edge,
    bundle,
    edge_of,
    grow,
    node_reader,
    read_bundle,
    read_tile_path,
    tile_path,
)

LARGE = 70_000  # three levels of tiles
SIZES = st.integers(1, LARGE)
LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(LARGE)]
EDGE, TILES = grow(Edge(), LEAVES)


def tile(level: int, number: int) -> bytes:
    return TILES[level, number]


NODE = node_reader(tile)


def split(count: int) -> int:
    """The k of RFC 6962: the largest power of two below n."""
    k = 1
    while 2 * k < count:
        k *= 2
    return k


@cache
def model_root(start: int, end: int) -> bytes:
    """MTH(D[start:end])."""
    if start == end:
        return sha256().digest()
    if end - start == 1:
        return sha256(b"\0" + start.to_bytes(4, "big")).digest()
    middle = start + split(end - start)
    return sha256(b"\1" + model_root(start, middle) + model_root(middle, end)).digest()


def model_path(index: int, start: int, end: int) -> list[bytes]:
    """PATH(m, D[start:end])."""
    if end - start == 1:
        return []
    k = split(end - start)
    if index < k:
        return [*model_path(index, start, start + k), model_root(start + k, end)]
    return [*model_path(index - k, start + k, end), model_root(start, start + k)]


def model_subproof(first: int, start: int, end: int, known: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:end], b)."""
    if first == end - start:
        return [] if known else [model_root(start, end)]
    k = split(end - start)
    if first <= k:
        return [*model_subproof(first, start, start + k, known), model_root(start + k, end)]
    return [*model_subproof(first - k, start + k, end, False), model_root(start, start + k)]


def included(leaf: int, index: int, size: int, proof: Sequence[bytes]) -> bool:
    """Whether the proof is taken for the true root of the size."""
    return taken(lambda: verify_inclusion(LEAVES[leaf], index, size, proof, model_root(0, size)))


def consistent(first: int, second: int, proof: Sequence[bytes]) -> bool:
    """Whether the proof is taken for the true roots of the sizes."""
    return taken(lambda: verify_consistency(first, second, model_root(0, first), model_root(0, second), proof))


def taken(verify: Callable[[], None]) -> bool:
    code = said(verify)
    assert code in ("", "log.proof_wrong")
    return not code


def said(attempt: Callable[[], object]) -> str:
    """The code of a refusal, or nothing."""
    try:
        attempt()
    except MalformedError as error:
        return error.code
    return ""


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Has the model hash the whole tree once, so that no example waits for it."""
    model_root(0, LARGE)


@st.composite
def changed(draw: st.DrawFn, proof: Sequence[bytes]) -> list[bytes]:
    """Another list of hashes than the proof."""
    hashes = list(proof)
    at = draw(st.integers(0, max(len(hashes) - 1, 0)))
    change = draw(st.sampled_from(["flip", "drop", "cut", "swap", "add"] if len(hashes) > 1 else ["add"]))
    match change:
        case "flip":
            hashes[at] = (int.from_bytes(hashes[at], "big") ^ 1 << draw(st.integers(0, 255))).to_bytes(32, "big")
        case "drop":
            del hashes[at]
        case "cut":
            hashes[at] = hashes[at][: draw(st.integers(0, 31))]
        case "swap":
            hashes[at], hashes[at - 1] = hashes[at - 1], hashes[at]
        case "add":
            hashes.insert(at, draw(st.sampled_from([*hashes, bytes(32), b""])))
    return hashes


def test_rfc_6962_hashes() -> None:
    assert sha256().digest() == EMPTY_ROOT == root(0, NODE) == Edge().root
    assert leaf_hash(b"entry") == sha256(b"\0entry").digest()
    assert node_hash(b"left", b"right") == sha256(b"\1leftright").digest()
    assert hash_of([b"one"]) == b"one"


def test_the_reference_tree_of_certificate_transparency() -> None:
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry in entries]
    assert [grow(Edge(), leaves[:size])[0].root.hex() for size in range(1, 9)] == [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]


def test_every_small_tree_is_as_rfc_6962_has_it() -> None:
    for size in range(71):
        assert root(size, NODE) == grow(Edge(), LEAVES[:size])[0].root == model_root(0, size)
        for index in range(size):
            proof = inclusion_proof(index, size, NODE)
            assert list(proof) == model_path(index, 0, size)
            assert included(index, index, size, proof)
            between = consistency_proof(index + 1, size, NODE)
            assert list(between) == model_subproof(index + 1, 0, size, True)
            assert consistent(index + 1, size, between)


@given(SIZES, st.data())
def test_so_is_every_large_one(size: int, data: st.DataObject) -> None:
    assert root(size, NODE) == model_root(0, size)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, NODE)
    assert list(proof) == model_path(index, 0, size)
    assert included(index, index, size, proof)
    between = consistency_proof(index + 1, size, NODE)
    assert list(between) == model_subproof(index + 1, 0, size, True)
    assert consistent(index + 1, size, between)


def test_a_small_proof_is_taken_for_nothing_else() -> None:
    places = [(index, size) for size in range(1, 14) for index in range(size)]
    for index, size in places:
        proof, between = inclusion_proof(index, size, NODE), consistency_proof(index + 1, size, NODE)
        for other, larger in places:
            assert included(index, other, larger, proof) is ((other, larger) == (index, size))
            expected = between == consistency_proof(other + 1, larger, NODE)
            assert consistent(other + 1, larger, between) is expected


@given(SIZES, st.data())
def test_a_changed_proof_leaf_index_size_or_root_is_refused(size: int, data: st.DataObject) -> None:
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    another, flipped = data.draw(SIZES), bytearray(model_root(0, size))
    flipped[data.draw(st.integers(0, 31))] ^= data.draw(st.integers(1, 255))
    proof = inclusion_proof(index, size, NODE)
    forged = data.draw(changed(proof))
    assert included(index, index, size, forged) is (forged == list(proof))
    assert included(other, index, size, proof) is (other == index)
    assert included(index, other, size, proof) is (other == index)
    assert included(index, index, another, proof) is (another == size)
    assert not taken(lambda: verify_inclusion(LEAVES[index], index, size, proof, bytes(flipped)))


@given(SIZES, st.data())
def test_a_changed_proof_size_or_root_between_trees_is_refused(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second))
    another, bit = data.draw(SIZES), 1 << data.draw(st.integers(0, 255))
    proof = consistency_proof(first, second, NODE)
    forged = data.draw(changed(proof))
    assert consistent(first, second, forged) is (forged == list(proof))
    assert consistent(another, second, proof) is (another == first)
    assert consistent(first, another, proof) is (another == second)
    roots = model_root(0, first), model_root(0, second)
    wrong = [(int.from_bytes(one, "big") ^ bit).to_bytes(32, "big") for one in roots]
    assert not taken(lambda: verify_consistency(first, second, wrong[0], roots[1], proof))
    assert not taken(lambda: verify_consistency(first, second, roots[0], wrong[1], proof))
    assert first == second or not taken(lambda: verify_consistency(first, second, roots[1], roots[0], proof))


def test_a_proof_that_stops_below_the_root_or_goes_beyond_it_is_refused() -> None:
    a, b, c, d, x = LEAVES[:5]
    ab, cd, abc = node_hash(a, b), node_hash(c, d), node_hash(node_hash(a, b), c)
    for attempt in (
        lambda: verify_inclusion(a, 0, 3, (b,), ab),
        lambda: verify_inclusion(a, 0, 1, (x,), node_hash(a, x)),
        lambda: verify_inclusion(a, 0, 1, (x,), node_hash(x, a)),
        lambda: verify_consistency(1, 3, a, ab, (b,)),
        lambda: verify_consistency(3, 4, node_hash(x, abc), node_hash(x, node_hash(ab, cd)), (c, d, ab, x)),
        lambda: verify_consistency(3, 4, abc, node_hash(ab, cd), ()),
    ):
        assert said(attempt) == "log.proof_wrong"
    verify_consistency(3, 4, abc, node_hash(ab, cd), (c, d, ab))


@pytest.mark.parametrize(("index", "size"), [(-1, 1), (0, 0), (1, 1), (8, 7), (0, -1)])
def test_a_leaf_out_of_the_tree_is_in_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="is not in a tree"):
        inclusion_proof(index, size, NODE)
    assert said(lambda: verify_inclusion(LEAVES[0], index, size, (), LEAVES[0])) == "log.proof_wrong"


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (2, 1), (-1, 1)])
def test_there_is_no_proof_from_nothing_or_backwards(first: int, second: int) -> None:
    with pytest.raises(ValueError, match="no proof between"):
        consistency_proof(first, second, NODE)
    assert said(lambda: verify_consistency(first, second, EMPTY_ROOT, EMPTY_ROOT, ())) == "log.proof_wrong"


@pytest.mark.parametrize("short", [b"", bytes(31), bytes(33)])
def test_what_is_no_hash_is_in_no_proof(short: bytes) -> None:
    one = bytes(32)
    for attempt in (
        lambda: verify_inclusion(short, 0, 1, (), short),
        lambda: verify_inclusion(one, 0, 2, (short,), node_hash(one, short)),
        lambda: verify_consistency(1, 2, one, node_hash(one, short), (short,)),
    ):
        assert said(attempt) == "log.proof_wrong"


@given(st.lists(st.integers(0, 700), max_size=8))
def test_a_tree_grown_in_portions_is_the_tree_grown_at_once(portions: list[int]) -> None:
    edge, tiles = Edge(), dict[tuple[int, int], bytes]()
    for portion in portions:
        edge, fresh = grow(edge, LEAVES[edge.size : edge.size + portion])
        assert all(fresh[key].startswith(tiles.get(key, b"")) and fresh[key] != tiles.get(key) for key in fresh)
        tiles |= fresh
    assert (edge, tiles) == grow(Edge(), LEAVES[: sum(portions)])


@given(SIZES, st.integers(0, 600))
def test_a_tree_grows_on_from_its_tiles(size: int, more: int) -> None:
    edge = edge_of(size, tile)
    assert edge.size == size
    assert edge.root == root(size, NODE)
    grown = grow(edge, LEAVES[size : size + more])[0]
    assert grown == edge_of(grown.size, tile)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 65535, 65536, 65537, 65792, LARGE])
def test_the_edge_is_what_its_tiles_hold(size: int) -> None:
    edge = grow(Edge(), LEAVES[:size])[0]
    assert edge == edge_of(size, tile)
    assert edge.root == model_root(0, size)


def test_c2sp_tlog_tiles_at_70_000() -> None:
    widths = {key: len(content) // 32 for key, content in TILES.items()}
    assert widths == {
        **{(0, number): 256 for number in range(273)},
        (0, 273): 112,
        (1, 0): 256,
        (1, 1): 17,
        (2, 0): 1,
    }
    assert [len(partial) // 32 for partial in EDGE.partial] == [112, 17, 1]
    assert TILES[1, 1][:32] == model_root(256 * 256, 257 * 256)


def test_level_63_is_the_last() -> None:
    assert edge_of(1 << 8 * 63, lambda _level, _number: bytes(32)).partial == (*[b""] * 63, bytes(32))


def test_a_tile_that_is_too_short_is_refused() -> None:
    node = node_reader(lambda _level, _number: TILES[0, 0][: 4 * 32])
    assert node(2, 0) == model_root(0, 4)
    for height, place in ((0, 4), (2, 1), (3, 0), (8, 5)):
        assert said(partial(node, height, place)) == "log.tile_short"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tile/0/000", (0, 0, 256)),
        ("tile/63/999", (63, 999, 256)),
        ("tile/0/x001/000", (0, 1000, 256)),
        ("tile/1/x001/x234/067", (1, 1234067, 256)),  # C2SP tlog-tiles
        ("tile/entries/000.p/17", (None, 0, 17)),
        ("tile/entries/x001/234.p/255", (None, 1234, 255)),
        ("tile/2/000.p/1", (2, 0, 1)),
        (f"tile/0/{'x999/' * 6}999", (0, 10**21 - 1, 256)),
    ],
)
def test_a_tile_has_one_name(path: str, expected: tuple[int | None, int, int]) -> None:
    _, level, name = path.split("/", 2)
    assert read_tile_path(level, name) == expected
    assert tile_path(*expected) == path


@given(st.none() | st.integers(0, 63), st.integers(0, 10**21 - 1), st.integers(1, WIDTH))
def test_the_name_of_a_tile_is_read_back(level: int | None, number: int, width: int) -> None:
    _, shown, name = tile_path(level, number, width).split("/", 2)
    assert read_tile_path(shown, name) == (level, number, width)


@pytest.mark.parametrize(
    ("level", "name"),
    [
        *(("0", name) for name in ("", "1", "01", "0001", "1000", "x000", "x001", "001/", "/001", "001/001")),
        *(
            ("0", name)
            for name in ("x000/001", "x000/x001/000", "x1/000", "X001/000", "x001//000", f"{'x001/' * 7}000")
        ),
        *(("0", name) for name in ("-01", "+01", " 01", "001\n", "٠٠١", "x٠٠١/000", "../000", "001.p", "001.p/")),
        *(("0", f"000.p/{width}") for width in ("0", "00", "01", "256", "1000", "-1", "1.p/1", "١", "1\n", "1/1")),
        *((level, "000") for level in ("", "00", "01", "64", "100", "-1", "+1", "1 ", "1٣", "Entries", "entries/0")),
        *(("0", f"000.p/{width}") for width in (257, 999)),
    ],
)
def test_what_names_no_tile_is_refused(level: str, name: str) -> None:
    assert said(lambda: read_tile_path(level, name)) == "log.tile_name"


@given(st.text() | st.text("0123456789x/.p"), st.text() | st.text("0123456789x/.p"))
def test_any_text_names_a_tile_or_is_refused(level: str, name: str) -> None:
    code = said(lambda: read_tile_path(level, name))
    assert code == "log.tile_name" or tile_path(*read_tile_path(level, name)) == f"tile/{level}/{name}"


@given(st.lists(st.binary(max_size=40)), st.data())
def test_a_bundle_is_read_back_and_a_cut_one_refused(entries: list[bytes], data: st.DataObject) -> None:
    whole = bundle(entries)
    assert read_bundle(whole) == tuple(entries)
    ends = [len(bundle(entries[:count])) for count in range(len(entries) + 1)]
    cut = data.draw(st.integers(0, len(whole)))
    if cut in ends:
        assert read_bundle(whole[:cut]) == tuple(entries[: ends.index(cut)])
    else:
        assert said(lambda: read_bundle(whole[:cut])) == "log.bundle_malformed"


def test_a_bundle_has_a_length_before_each_entry() -> None:
    assert bundle([b"ab", b""]) == b"\0\2ab\0\0"
    assert read_bundle(bundle([bytes(MAX_ENTRY)])) == (bytes(MAX_ENTRY),)
    with pytest.raises(OverflowError):
        bundle([bytes(MAX_ENTRY + 1)])


@given(st.binary())
def test_any_bytes_are_one_bundle_or_refused(content: bytes) -> None:
    code = said(lambda: read_bundle(content))
    assert code == "log.bundle_malformed" or bundle(read_bundle(content)) == content


ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
CHECKPOINT = f"example.com/behind-the-sofa\n20852163\n{ROOT}\n"  # C2SP tlog-checkpoint


def test_the_checkpoint_of_c2sp_is_read_and_written() -> None:
    checkpoint = read_checkpoint(CHECKPOINT)
    assert checkpoint == Checkpoint(
        origin="example.com/behind-the-sofa", head=TreeHead(size=20852163, root=base64.b64decode(ROOT))
    )
    assert checkpoint.text() == CHECKPOINT
    assert read_checkpoint(f"{CHECKPOINT}more\nand more\n") == checkpoint


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1),
    st.integers(0, 10**19 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_a_checkpoint_is_read_back(origin: str, size: int, tree_root: bytes) -> None:
    checkpoint = Checkpoint(origin=origin, head=TreeHead(size=size, root=tree_root))
    assert read_checkpoint(checkpoint.text()) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        "log\n1\n",
        f"log\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        f"{CHECKPOINT}more",
        f"log\r\n1\r\n{ROOT}\r\n",
        *(
            f"log\n{size}\n{ROOT}\n"
            for size in ("01", "00", "-1", "+1", " 1", "1 ", "1_0", "0x1", "1.0", "١", "1" * 20)
        ),
        "log\n1\n\n",
        f"log\n1\n{ROOT[:-1]}\n",
        f"log\n1\n {ROOT}\n",
        f"log\n1\n{ROOT} \n",
        f"log\n1\n{ROOT.replace('/', '_')}\n",
        f"log\n1\n{ROOT.replace('I=', 'J=')}\n",
        f"log\n1\n{ROOT[:-1]}é\n",
        f"log\n1\n{base64.b64encode(bytes(31)).decode()}\n",
        f"log\n1\n{base64.b64encode(bytes(33)).decode()}\n",
        f"log\n1٣\n{ROOT}\n",
        f"{CHECKPOINT}\n",
        f"{CHECKPOINT}\nmore\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    assert said(lambda: read_checkpoint(text)) == "log.checkpoint_malformed"


@given(st.text() | st.text().map(lambda more: CHECKPOINT + more))
def test_any_text_is_a_checkpoint_or_refused(text: str) -> None:
    code = said(lambda: read_checkpoint(text))
    assert code == "log.checkpoint_malformed" or text.startswith(read_checkpoint(text).text())


def test_an_entry_is_these_bytes() -> None:
    at, as_of = datetime(2026, 3, 1, 8, 30, 0, 250, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)
    assert report_entry("type", "issuer", as_of, at) == (
        b'{"as_of":"2026-02-28T00:00:00Z","event":"report","issuer":"issuer",'
        b'"known_from":"2026-03-01T08:30:00.000250Z","type":"type","v":1}'
    )


TEXTS = st.text()
INSTANTS = st.datetimes(timezones=st.just(UTC))


@given(TEXTS, TEXTS, TEXTS, TEXTS, st.integers(0, 2**53 - 1), INSTANTS, INSTANTS)
def test_an_entry_is_canonical_and_says_this_and_no_more(
    one: str, two: str, three: str, four: str, version: int, as_of: datetime, known_from: datetime
) -> None:
    common = {"v": 1, "known_from": known_from}
    assert credential_entry(one, two, three, four, known_from) == canonical_json(
        {**common, "event": "credential", "credential": one, "type": two, "issuer": three, "digest": four}
    )
    assert report_entry(one, two, as_of, known_from) == canonical_json(
        {**common, "event": "report", "type": one, "issuer": two, "as_of": as_of}
    )
    assert policy_entry(one, two, version, three, known_from) == canonical_json(
        {**common, "event": "policy", "kind": one, "document": two, "version": version, "digest": three}
    )
