"""What a lock's certificate says, for programs and in both languages for people."""

from typing import Any

from keys.algorithms.schemes import load_key
from keys.certificate import Certificate
from registry.holder import serial_text, uscc_of
from registry.period import format_instant

_ALGORITHMS = {"sm2": "SM2", "rsa": "RSA"}
_USES = {"signing": "签名证书 / signing certificate", "encryption": "加密证书 / encryption certificate"}
_USAGES = {
    "digitalSignature": "数字签名",
    "nonRepudiation": "不可否认",
    "keyEncipherment": "密钥加密",
    "dataEncipherment": "数据加密",
    "keyAgreement": "密钥协商",
}
_LABELS = {
    "subject": "主体 / subject",
    "uscc": "统一社会信用代码 / USCC",
    "issuer": "颁发机构 / issuer",
    "serial": "序列号 / serial number",
    "validity": "有效期 / validity",
    "algorithm": "算法 / algorithm",
    "key_usage": "用途 / key usage",
    "fingerprint": "指纹 / fingerprint",
}


def certificate_view(certificate: Certificate) -> dict[str, Any]:
    """A certificate as JSON. The USCC is null where no code was found whose check character is right."""
    key = load_key(certificate.spki)
    return {
        "subject": certificate.subject_text,
        "uscc": uscc_of(certificate),
        "issuer": certificate.issuer_text,
        "serial": serial_text(certificate.serial),
        "not_before": format_instant(certificate.not_before),
        "not_after": format_instant(certificate.not_after),
        "algorithm": key.family,
        "bits": key.bits,
        "key_usage": sorted(certificate.key_usage or ()),
        "fingerprint": certificate.fingerprint,
    }


def certificate_lines(use: str, certificate: Certificate) -> list[str]:
    """A certificate as lines for people, its use first."""
    view = certificate_view(certificate)
    usages = ", ".join(f"{_USAGES.get(name, name)} {name}" for name in view["key_usage"])
    shown = view | {
        "uscc": view["uscc"] or "—",
        "validity": f"{view['not_before']} – {view['not_after']}",
        "algorithm": f"{_ALGORITHMS.get(view['algorithm'], view['algorithm'])} {view['bits']}",
        "key_usage": usages or "—",
    }
    return [_USES[use], *(f"  {label}: {shown[name]}" for name, label in _LABELS.items())]
