import java.io.IOException;
import java.math.BigInteger;
import java.util.Date;
import org.bouncycastle.asn1.ASN1GeneralizedTime;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.ocsp.OCSPObjectIdentifiers;
import org.bouncycastle.asn1.ocsp.RevokedInfo;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.ocsp.BasicOCSPResp;
import org.bouncycastle.cert.ocsp.BasicOCSPRespBuilder;
import org.bouncycastle.cert.ocsp.CertificateID;
import org.bouncycastle.cert.ocsp.CertificateStatus;
import org.bouncycastle.cert.ocsp.OCSPException;
import org.bouncycastle.cert.ocsp.OCSPReq;
import org.bouncycastle.cert.ocsp.OCSPReqBuilder;
import org.bouncycastle.cert.ocsp.OCSPResp;
import org.bouncycastle.cert.ocsp.OCSPRespBuilder;
import org.bouncycastle.cert.ocsp.Req;
import org.bouncycastle.cert.ocsp.RespID;
import org.bouncycastle.cert.ocsp.RevokedStatus;
import org.bouncycastle.cert.ocsp.SingleResp;
import org.bouncycastle.cert.ocsp.UnknownStatus;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;

/** Requests and responses of OCSP (RFC 6960). */
final class Responses {
    private Responses() {
    }

    /** Asks about the "serial" of an "issuer", by a "digest" (OID), with a "nonce". */
    static Answer ask(Question asked) throws OCSPException, OperatorCreationException, IOException {
        OCSPReqBuilder builder = new OCSPReqBuilder().addRequest(identifier(asked));
        builder.setRequestExtensions(nonce(asked.octets("nonce")));
        return new Answer().with("request", builder.build().getEncoded());
    }

    /** Says what a "request" asks for, and whether it is about an "issuer". */
    static Answer read(Question asked) throws OCSPException, OperatorCreationException, IOException {
        OCSPReq request = new OCSPReq(asked.octets("request"));
        Answer answer = new Answer();
        for (Req each : request.getRequestList()) {
            tell(answer, each.getCertID(), asked);
        }
        return tellNonce(answer, request.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce));
    }

    /**
     * Answers that the "serial" of an "issuer" has a "status", "revoked" since then (seconds) for a "reason".
     *
     * "key" and "scheme" sign; "responder" is the certificate of whoever answers, put inside where "enclosed" is said.
     * "produced", "start" and "end" are seconds; "byname" names the responder by its Name, else by its key.
     */
    static Answer answer(Question asked) throws OCSPException, OperatorCreationException, IOException {
        X509CertificateHolder responder = Signing.certificate(asked.octets("responder"));
        BasicOCSPRespBuilder builder = asked.has("byname")
                ? new BasicOCSPRespBuilder(new RespID(responder.getSubject()))
                : new BasicOCSPRespBuilder(
                        responder.getSubjectPublicKeyInfo(), Signing.digests().get(CertificateID.HASH_SHA1));
        Date start = Signing.date(asked.text("start"));
        Date end = Signing.date(asked.text("end"));
        builder.addResponse(identifier(asked), status(asked), start, end, null);
        if (asked.has("nonce")) {
            builder.setResponseExtensions(nonce(asked.octets("nonce")));
        }
        X509CertificateHolder[] shown =
                asked.has("enclosed") ? new X509CertificateHolder[] {responder} : new X509CertificateHolder[0];
        BasicOCSPResp basic = builder.build(Signing.signer(asked, 0), shown, Signing.date(asked.text("produced")));
        OCSPResp response = new OCSPRespBuilder().build(OCSPRespBuilder.SUCCESSFUL, basic);
        return new Answer().with("response", response.getEncoded());
    }

    /** Says what a "response" says about an "issuer", and whether the key of a "responder" signed it. */
    static Answer judge(Question asked) throws Exception {
        BasicOCSPResp basic = (BasicOCSPResp) new OCSPResp(asked.octets("response")).getResponseObject();
        X509CertificateHolder responder = Signing.certificate(asked.octets("responder"));
        var verifier = new JcaContentVerifierProviderBuilder().setProvider("BC").build(responder);
        Answer answer = new Answer().with("holds", basic.isSignatureValid(verifier));
        answer.with("produced", basic.getProducedAt().getTime() / 1000);
        answer.with("certificates", basic.getCerts().length);
        for (SingleResp single : basic.getResponses()) {
            tell(answer, single.getCertID(), asked);
            answer.with("status", said(single.getCertStatus()));
        }
        return tellNonce(answer, basic.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce));
    }

    private static CertificateID identifier(Question asked)
            throws OCSPException, OperatorCreationException, IOException {
        var calculator = Signing.digests().get(Signing.algorithm(asked.text("digest")));
        return new CertificateID(
                calculator, Signing.certificate(asked.octets("issuer")), new BigInteger(asked.text("serial")));
    }

    private static CertificateStatus status(Question asked) {
        return switch (asked.text("status")) {
            case "good" -> CertificateStatus.GOOD;
            case "unknown" -> new UnknownStatus();
            default -> revoked(asked);
        };
    }

    private static CertificateStatus revoked(Question asked) {
        ASN1GeneralizedTime since = new ASN1GeneralizedTime(Signing.date(asked.text("revoked")));
        CRLReason reason = asked.has("reason") ? CRLReason.lookup(Integer.parseInt(asked.text("reason"))) : null;
        return new RevokedStatus(new RevokedInfo(since, reason));
    }

    /** A status in words; of a revoked one since when and why. */
    private static String said(CertificateStatus status) {
        if (status == CertificateStatus.GOOD) {
            return "good";
        }
        if (status instanceof RevokedStatus revoked) {
            String why = revoked.hasRevocationReason() ? String.valueOf(revoked.getRevocationReason()) : "-";
            return "revoked " + revoked.getRevocationTime().getTime() / 1000 + " " + why;
        }
        return "unknown";
    }

    private static Extensions nonce(byte[] value) throws IOException {
        return new Extensions(
                new Extension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce, false, new DEROctetString(value).getEncoded()));
    }

    private static void tell(Answer answer, CertificateID identifier, Question asked)
            throws OCSPException, OperatorCreationException, IOException {
        answer.with("digest", identifier.getHashAlgOID()).with("serial", identifier.getSerialNumber());
        X509CertificateHolder issuer = Signing.certificate(asked.octets("issuer"));
        answer.with("about", identifier.matchesIssuer(issuer, Signing.digests()));
    }

    private static Answer tellNonce(Answer answer, Extension nonce) {
        return nonce == null
                ? answer
                : answer.with("nonce", ASN1OctetString.getInstance(nonce.getParsedValue()).getOctets());
    }
}
