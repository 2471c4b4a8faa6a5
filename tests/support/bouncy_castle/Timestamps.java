import java.io.IOException;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.SignerInfoGenerator;
import org.bouncycastle.cms.SignerInfoGeneratorBuilder;
import org.bouncycastle.operator.DigestCalculator;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.tsp.TSPAlgorithms;
import org.bouncycastle.tsp.TSPException;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.bouncycastle.tsp.TimeStampResponseGenerator;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.tsp.TimeStampTokenGenerator;
import org.bouncycastle.util.CollectionStore;

/** Timestamps (RFC 3161), asked for, given and judged. */
final class Timestamps {
    private Timestamps() {
    }

    /** Writes a request for "content" by a "digest" (OID) with a "nonce". */
    static Answer ask(Question asked) throws OperatorCreationException, IOException {
        TimeStampRequestGenerator generator = new TimeStampRequestGenerator();
        generator.setCertReq(true);
        ASN1ObjectIdentifier digest = new ASN1ObjectIdentifier(asked.text("digest"));
        byte[] imprint = Signing.digest(Signing.algorithm(digest.getId()), asked.octets("content"));
        BigInteger nonce = new BigInteger(asked.text("nonce"));
        return new Answer().with("request", generator.generate(digest, imprint, nonce).getEncoded());
    }

    /** Says what a "request" asks for, having held it to what an authority demands of it. */
    static Answer read(Question asked) throws TSPException, IOException {
        TimeStampRequest request = new TimeStampRequest(asked.octets("request"));
        request.validate(TSPAlgorithms.ALLOWED, null, null);
        return new Answer()
                .with("digest", request.getMessageImprintAlgOID())
                .with("imprint", request.getMessageImprintDigest())
                .with("nonce", request.getNonce())
                .with("certificates", request.getCertReq());
    }

    /**
     * Answers a "request" "at" an instant (seconds) with a "key" by a "scheme".
     *
     * "certificate" is its own, "digest" (OID) that by which it signs the hash of it.
     */
    static Answer answer(Question asked) throws Exception {
        X509CertificateHolder certificate = Signing.certificate(asked.octets("certificate"));
        SignerInfoGenerator signer = new SignerInfoGeneratorBuilder(Signing.digests())
                .setSignedAttributeGenerator(SignedDocuments.attributes(asked, certificate))
                .build(Signing.signer(asked, 0), certificate);
        DigestCalculator digest = Signing.digests().get(Signing.algorithm(asked.text("digest")));
        TimeStampTokenGenerator tokens =
                new TimeStampTokenGenerator(signer, digest, new ASN1ObjectIdentifier("2.999.1"), true);
        tokens.addCertificates(new CollectionStore<>(List.of(certificate)));
        tokens.setAccuracySeconds(1);
        tokens.setAccuracyMillis(500);
        tokens.setOrdering(true);
        TimeStampRequest request = new TimeStampRequest(asked.octets("request"));
        TimeStampResponse response = new TimeStampResponseGenerator(tokens, TSPAlgorithms.ALLOWED)
                .generate(request, BigInteger.TWO, Signing.date(asked.text("at")));
        return new Answer().with("response", response.getEncoded());
    }

    /** Judges a "response" to a "request" by the authority's "certificate"; a refusal says what is wrong. */
    static Answer judge(Question asked) throws Exception {
        TimeStampResponse response = new TimeStampResponse(asked.octets("response"));
        response.validate(new TimeStampRequest(asked.octets("request")));
        TimeStampToken token = response.getTimeStampToken();
        if (token == null) {
            throw new TSPException("the authority refused: status " + response.getStatus());
        }
        token.validate(SignedDocuments.verifier(Signing.certificate(asked.octets("certificate"))));
        return new Answer()
                .with("serial", token.getTimeStampInfo().getSerialNumber())
                .with("policy", token.getTimeStampInfo().getPolicy())
                .with("nonce", token.getTimeStampInfo().getNonce())
                .with("milliseconds", token.getTimeStampInfo().getGenTime().getTime());
    }

    /** Whether a token is of some content and signed by a certificate inside it. */
    static boolean isOf(TimeStampToken token, byte[] content) throws Exception {
        X509CertificateHolder certificate = token.getCertificates().getMatches(null).stream()
                .filter(token.getSID()::match).findFirst().orElseThrow();
        token.validate(SignedDocuments.verifier(certificate));
        byte[] digest = Signing.digest(token.getTimeStampInfo().getHashAlgorithm(), content);
        return Arrays.equals(digest, token.getTimeStampInfo().getMessageImprintDigest());
    }
}
