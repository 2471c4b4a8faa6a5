"""What others think of what the simulated authority made: the `openssl` command, `cryptography`, pyOpenSSL."""

import shutil
import subprocess
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from OpenSSL import crypto

from tests.support import der_writer as der
from tests.support.pki import AT, Case
from tests.support.requirements import require
from tests.support.unsafe_sm2 import Key, unsafe_verify


def openssl(*arguments: str | Path) -> tuple[int, str]:
    """Runs the command; gives its exit code and all that it said."""
    command = shutil.which("openssl")
    require(command, "the openssl command")
    told = subprocess.run([str(command), *map(str, arguments)], capture_output=True, check=False)
    return told.returncode, (told.stdout + told.stderr).decode("utf-8", "replace")


def written(folder: Path, name: str, *contents: bytes, label: str = "CERTIFICATE") -> Path:
    path = folder / name
    path.write_text("".join(der.pem(content, label) for content in contents), encoding="ascii")
    return path


def parts(signed: bytes) -> tuple[bytes, bytes, bytes]:
    """The signed bytes, the outer AlgorithmIdentifier and the signature."""
    tbs, algorithm, signature = der.members_of(signed)
    return tbs, algorithm, der.contents_of(signature)[1:]


def holds(key: Key, scheme: str, signature: bytes, message: bytes) -> bool:
    """Whether `cryptography`, or for SM2 the verifier here, finds the signature right."""
    if scheme == "sm2-sm3":
        return bool(signature) and unsafe_verify(key.point, signature, message)
    public = serialization.load_der_public_key(key.spki)
    digest = {"1": hashes.SHA1(), "256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}.get(
        scheme.partition("sha")[2], hashes.SHA256()
    )
    try:
        if isinstance(public, rsa.RSAPublicKey):
            pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
            public.verify(signature, message, pss if "pss" in scheme else padding.PKCS1v15(), digest)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, message, ec.ECDSA(digest))
        else:
            assert isinstance(public, ed25519.Ed25519PublicKey)
            public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def openssl_4_refuses(shown: Case) -> str:
    """What pyOpenSSL, with an OpenSSL that knows SM2, has against the path; empty when nothing."""
    try:
        store = crypto.X509Store()
        store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, shown.root.certificate.der))
        store.set_time(shown.at)
        between = [crypto.load_certificate(crypto.FILETYPE_ASN1, certificate) for certificate in shown.chain]
        leaf = crypto.load_certificate(crypto.FILETYPE_ASN1, shown.leaf.der)
        crypto.X509StoreContext(store, leaf, between).verify_certificate()
    except (crypto.Error, crypto.X509StoreContextError) as refusal:
        return str(refusal)
    return ""


def status(folder: Path, made: Case, crls: tuple[bytes, ...], *options: str) -> str:
    """What `openssl verify -crl_check` says of the leaf under its authority: "" when it is good."""
    anchor = written(folder, "anchor", made.authority.certificate.der)
    leaf, lists = written(folder, "leaf", made.leaf.der), written(folder, "crls", *crls, label="X509 CRL")
    told = ["verify", "-partial_chain", "-crl_check", "-attime", f"{AT.timestamp():.0f}", "-trusted", anchor]
    code, said = openssl(*told, *options, "-CRLfile", lists, leaf)
    return "" if code == 0 else next(line.partition(": ")[2] for line in said.splitlines() if line.startswith("error"))
