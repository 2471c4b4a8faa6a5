import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.cms.CMSAttributes;
import org.bouncycastle.asn1.cms.ContentInfo;
import org.bouncycastle.asn1.cms.Time;
import org.bouncycastle.asn1.ess.ESSCertIDv2;
import org.bouncycastle.asn1.ess.SigningCertificateV2;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.SubjectKeyIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSAttributeTableGenerator;
import org.bouncycastle.cms.CMSException;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignatureAlgorithmNameGenerator;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.CMSSignedDataStreamGenerator;
import org.bouncycastle.cms.CMSSignedGenerator;
import org.bouncycastle.cms.DefaultCMSSignatureAlgorithmNameGenerator;
import org.bouncycastle.cms.DefaultSignedAttributeTableGenerator;
import org.bouncycastle.cms.SignerInfoGenerator;
import org.bouncycastle.cms.SignerInfoGeneratorBuilder;
import org.bouncycastle.cms.SignerInformation;
import org.bouncycastle.cms.SignerInformationStore;
import org.bouncycastle.cms.SignerInformationVerifier;
import org.bouncycastle.operator.ContentVerifier;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.DefaultSignatureAlgorithmIdentifierFinder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.tsp.TimeStampToken;

/** Signed documents (CMS), written and judged. */
final class SignedDocuments {
    private static final String DATA = PKCSObjectIdentifiers.data.getId();
    private static final ASN1ObjectIdentifier CERTIFICATE_V2 = PKCSObjectIdentifiers.id_aa_signingCertificateV2;
    private static final ASN1ObjectIdentifier TIMESTAMP = PKCSObjectIdentifiers.id_aa_signatureTimeStampToken;

    private SignedDocuments() {
    }

    /**
     * Signs "content" of a "type" with every "key" and its "certificate" by its "scheme", "at" a time (seconds).
     *
     * "bare" (no certificates inside), "detached", "definite" (no indefinite lengths), "stream" (written as it goes, in
     * pieces), "direct" (without signed attributes), "keyid" (signers named by the identifiers of their keys), "cades"
     * (the OID of the digest by which each signs its certificate's hash), "outer" (another OID around it all), "named"
     * (another OID for how they sign, beside SM3), "counter" (so many of the keys, the last ones, sign what the
     * others signed).
     */
    static Answer write(Question asked) throws CMSException, OperatorCreationException, IOException {
        int counters = Integer.parseInt(asked.text("counter", "0"));
        int signers = asked.all("key").size() - counters;
        byte[] message = asked.has("stream") ? streamed(asked, signers) : whole(asked, signers).getEncoded();
        if (counters > 0) {
            message = countersigned(asked, new CMSSignedData(message), signers).getEncoded();
        }
        if (asked.has("outer")) {
            ASN1ObjectIdentifier outer = new ASN1ObjectIdentifier(asked.text("outer"));
            message = new ContentInfo(outer, ContentInfo.getInstance(message).getContent()).getEncoded();
        }
        return new Answer().with("message", message);
    }

    /**
     * Judges every signer of a "message", whose "content" may be beside it, by a certificate inside or one given.
     *
     * Of each: whether it "holds", the OIDs of "digest" and "scheme", "certified" (whether it signed the hash of that
     * certificate); of what others added to it "countersigned" and "stamped".
     */
    static Answer judge(Question asked) throws Exception {
        byte[] message = asked.octets("message");
        CMSSignedData signed = asked.has("content")
                ? new CMSSignedData(new CMSProcessableByteArray(asked.octets("content")), message)
                : new CMSSignedData(message);
        Answer answer = new Answer().with("type", signed.getSignedContentTypeOID());
        if (signed.getSignedContent() != null) {
            answer.with("inside", (byte[]) signed.getSignedContent().getContent());
        }
        for (SignerInformation signer : signed.getSignerInfos().getSigners()) {
            judge(asked, signed, signer, answer);
        }
        return answer;
    }

    private static void judge(Question asked, CMSSignedData signed, SignerInformation signer, Answer answer)
            throws Exception {
        X509CertificateHolder certificate = certificateOf(asked, signed, signer);
        answer.with("holds", signer.verify(verifier(certificate)));
        answer.with("digest", signer.getDigestAlgOID()).with("scheme", signer.getEncryptionAlgOID());
        AttributeTable attributes = signer.getSignedAttributes();
        Attribute named = attributes == null ? null : attributes.get(CERTIFICATE_V2);
        if (named != null) {
            answer.with("certified", isOf(named, certificate));
        }
        for (SignerInformation counter : signer.getCounterSignatures().getSigners()) {
            answer.with("countersigned", counter.verify(verifier(certificateOf(asked, signed, counter))));
        }
        AttributeTable added = signer.getUnsignedAttributes();
        Attribute stamps = added == null ? null : added.get(TIMESTAMP);
        if (stamps != null) {
            for (var stamp : stamps.getAttributeValues()) {
                TimeStampToken token = new TimeStampToken(ContentInfo.getInstance(stamp));
                answer.with("stamped", Timestamps.isOf(token, signer.getSignature()));
            }
        }
    }

    /** Whose certificate a signer means. */
    @SuppressWarnings("unchecked")
    static X509CertificateHolder certificateOf(Question asked, CMSSignedData signed, SignerInformation signer)
            throws IOException {
        List<X509CertificateHolder> known = new ArrayList<>(signed.getCertificates().getMatches(null));
        for (byte[] certificate : asked.all("certificate")) {
            known.add(Signing.certificate(certificate));
        }
        return known.stream().filter(signer.getSID()::match).findFirst().orElseThrow();
    }

    /** What Bouncy Castle judges signatures with, by a certificate; one name is translated for it. */
    static SignerInformationVerifier verifier(X509CertificateHolder certificate) throws Exception {
        ContentVerifierProvider known = new JcaContentVerifierProviderBuilder().setProvider("BC").build(certificate);
        CMSSignatureAlgorithmNameGenerator names = new DefaultCMSSignatureAlgorithmNameGenerator();
        return new SignerInformationVerifier(
                (digest, scheme) -> names.getSignatureName(digest, translated(scheme)),
                new DefaultSignatureAlgorithmIdentifierFinder(), translating(known), Signing.digests());
    }

    /** The name that Bouncy Castle knows for what GM/T 0010 calls signing by SM2. */
    private static AlgorithmIdentifier translated(AlgorithmIdentifier scheme) {
        boolean chinese = scheme.getAlgorithm().equals(GMObjectIdentifiers.sm2sign);
        return chinese ? new AlgorithmIdentifier(GMObjectIdentifiers.sm2sign_with_sm3) : scheme;
    }

    private static ContentVerifierProvider translating(ContentVerifierProvider known) {
        return new ContentVerifierProvider() {
            @Override
            public boolean hasAssociatedCertificate() {
                return known.hasAssociatedCertificate();
            }

            @Override
            public X509CertificateHolder getAssociatedCertificate() {
                return known.getAssociatedCertificate();
            }

            @Override
            public ContentVerifier get(AlgorithmIdentifier scheme) throws OperatorCreationException {
                return known.get(translated(scheme));
            }
        };
    }

    private static CMSSignedData whole(Question asked, int signers)
            throws CMSException, OperatorCreationException, IOException {
        CMSSignedDataGenerator generator = prepared(new CMSSignedDataGenerator(), asked, signers);
        generator.setDefiniteLengthEncoding(asked.has("definite"));
        ASN1ObjectIdentifier type = new ASN1ObjectIdentifier(asked.text("type", DATA));
        return generator.generate(new CMSProcessableByteArray(type, asked.octets("content")), !asked.has("detached"));
    }

    private static byte[] streamed(Question asked, int signers)
            throws CMSException, OperatorCreationException, IOException {
        CMSSignedDataStreamGenerator generator = prepared(new CMSSignedDataStreamGenerator(), asked, signers);
        // Small pieces, so that even little content comes in several.
        generator.setBufferSize(16);
        ASN1ObjectIdentifier type = new ASN1ObjectIdentifier(asked.text("type", DATA));
        ByteArrayOutputStream written = new ByteArrayOutputStream();
        try (OutputStream content = generator.open(type, written, !asked.has("detached"))) {
            content.write(asked.octets("content"));
        }
        return written.toByteArray();
    }

    private static <G extends CMSSignedGenerator> G prepared(G generator, Question asked, int signers)
            throws CMSException, OperatorCreationException, IOException {
        for (int place = 0; place < signers; place++) {
            generator.addSignerInfoGenerator(generatorOf(asked, place));
        }
        for (byte[] certificate : asked.has("bare") ? List.<byte[]>of() : asked.all("certificate")) {
            generator.addCertificate(Signing.certificate(certificate));
        }
        return generator;
    }

    private static SignerInfoGenerator generatorOf(Question asked, int place)
            throws OperatorCreationException, IOException {
        X509CertificateHolder certificate = Signing.certificate(asked.all("certificate").get(place));
        SignerInfoGeneratorBuilder builder = new SignerInfoGeneratorBuilder(Signing.digests());
        builder.setDirectSignature(asked.has("direct"));
        if (asked.has("named")) {
            // It knows no digest of a scheme that it does not know.
            builder.setContentDigest(new AlgorithmIdentifier(GMObjectIdentifiers.sm3));
        }
        builder.setSignedAttributeGenerator(attributes(asked, certificate));
        return asked.has("keyid")
                ? builder.build(Signing.signer(asked, place), keyIdentifier(certificate))
                : builder.build(Signing.signer(asked, place), certificate);
    }

    private static byte[] keyIdentifier(X509CertificateHolder certificate) {
        return SubjectKeyIdentifier.fromExtensions(certificate.getExtensions()).getKeyIdentifier();
    }

    /** The attributes that it writes by itself, at the time "at" (seconds), and what "cades" adds (RFC 5035). */
    static CMSAttributeTableGenerator attributes(Question asked, X509CertificateHolder certificate)
            throws OperatorCreationException, IOException {
        ASN1EncodableVector said = new ASN1EncodableVector();
        said.add(new Attribute(CMSAttributes.signingTime, new DERSet(new Time(Signing.date(asked.text("at"))))));
        if (asked.has("cades")) {
            AlgorithmIdentifier digest = Signing.algorithm(asked.text("cades"));
            ESSCertIDv2 identifier = new ESSCertIDv2(digest, Signing.digest(digest, certificate.getEncoded()));
            said.add(new Attribute(CERTIFICATE_V2, new DERSet(new SigningCertificateV2(identifier))));
        }
        return new DefaultSignedAttributeTableGenerator(new AttributeTable(said));
    }

    private static boolean isOf(Attribute named, X509CertificateHolder certificate)
            throws OperatorCreationException, IOException {
        SigningCertificateV2 value = SigningCertificateV2.getInstance(named.getAttrValues().getObjectAt(0));
        ESSCertIDv2 identifier = value.getCerts()[0];
        // RFC 5035 4: the hash is of the DER, even where the certificate was sent in BER.
        byte[] encoded = certificate.toASN1Structure().getEncoded(ASN1Encoding.DER);
        byte[] digest = Signing.digest(identifier.getHashAlgorithm(), encoded);
        return Arrays.equals(digest, identifier.getCertHash());
    }

    private static CMSSignedData countersigned(Question asked, CMSSignedData signed, int signers)
            throws CMSException, OperatorCreationException, IOException {
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        for (int place = signers; place < asked.all("key").size(); place++) {
            generator.addSignerInfoGenerator(generatorOf(asked, place));
        }
        Collection<SignerInformation> after = new ArrayList<>();
        for (SignerInformation signer : signed.getSignerInfos().getSigners()) {
            after.add(SignerInformation.addCounterSigners(signer, generator.generateCounterSigners(signer)));
        }
        return CMSSignedData.replaceSigners(signed, new SignerInformationStore(after));
    }
}
