"""X.509 certificates: an immutable view over DER that shows what real certificates hold, however odd.

What decides trust is read strictly and refused with MalformedError; what is odd and decides nothing becomes a code in
`Certificate.oddities`; the few that must not stand on a certification path are `FATAL_ODDITIES`.
"""

from keys.certificate import holder
from keys.certificate.extensions import KEY_USAGES, DistributionPoint, Extension
from keys.certificate.holder import Candidate
from keys.certificate.names import MASK
from keys.certificate.reading import read_certificate
from keys.certificate.structure import FATAL_ODDITIES, MAX_LENGTH, Certificate, parse_certificate

__all__ = [
    "FATAL_ODDITIES",
    "KEY_USAGES",
    "MASK",
    "MAX_LENGTH",
    "Candidate",
    "Certificate",
    "DistributionPoint",
    "Extension",
    "holder_candidates",
    "parse_certificate",
    "read_certificate",
]


def holder_candidates(certificate: Certificate) -> tuple[Candidate, ...]:
    """Gives the texts that may be the holder's unified social credit code, the most telling place first.

    The registry judges the check digit. A personal candidate is never displayed, logged or stored in clear.
    """
    return holder.candidates(certificate.subject_attributes, certificate.extensions)
