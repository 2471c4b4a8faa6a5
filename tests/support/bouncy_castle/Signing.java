import java.io.IOException;
import java.io.OutputStream;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.Date;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.jcajce.spec.SM2ParameterSpec;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

/** Keys, certificates and signatures by themselves. */
final class Signing {
    private static final String PROVIDER = BouncyCastleProvider.PROVIDER_NAME;

    private Signing() {
    }

    /** Makes a key of SM2 and a certificate that it signs itself: "name", "start" and "end" (seconds). */
    static Answer makeParty(Question asked) throws GeneralSecurityException, OperatorCreationException, IOException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", PROVIDER);
        generator.initialize(new ECGenParameterSpec("sm2p256v1"));
        KeyPair pair = generator.generateKeyPair();
        X500Name name = new X500Name(asked.text("name"));
        JcaX509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(
                name, BigInteger.TEN, date(asked.text("start")), date(asked.text("end")), name, pair.getPublic());
        builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
        byte[] certificate = builder.build(signer("SM3withSM2", pair.getPrivate())).getEncoded();
        return new Answer().with("key", pair.getPrivate().getEncoded()).with("certificate", certificate);
    }

    /** Signs a "message" with a "key" by SM2; without an "identity" with the one that Bouncy Castle takes by itself. */
    static Answer sign(Question asked) throws GeneralSecurityException, IOException {
        Signature signature = identified(asked);
        signature.initSign(key(asked.octets("key")));
        signature.update(asked.octets("message"));
        return new Answer().with("signature", signature.sign());
    }

    /** Says of a "signature" of SM2 over a "message" whether it "holds". */
    static Answer verify(Question asked) throws GeneralSecurityException, IOException {
        Signature signature = identified(asked);
        PublicKey key = BouncyCastleProvider.getPublicKey(SubjectPublicKeyInfo.getInstance(asked.octets("spki")));
        signature.initVerify(key);
        signature.update(asked.octets("message"));
        return new Answer().with("holds", signature.verify(asked.octets("signature")));
    }

    /** A private key from PKCS #8. */
    static PrivateKey key(byte[] encoded) throws IOException {
        return BouncyCastleProvider.getPrivateKey(PrivateKeyInfo.getInstance(encoded));
    }

    /** One who signs by a scheme of the name that Java gives it. */
    static ContentSigner signer(String scheme, PrivateKey key) throws OperatorCreationException {
        return new JcaContentSignerBuilder(scheme).setProvider(PROVIDER).build(key);
    }

    /** The signer of one place in a question, by "key" and "scheme"; "named" is another OID for how it signs. */
    static ContentSigner signer(Question asked, int place) throws OperatorCreationException, IOException {
        ContentSigner signer = signer(asked.text("scheme", place), key(asked.all("key").get(place)));
        return asked.has("named") ? named(signer, asked.text("named")) : signer;
    }

    static X509CertificateHolder certificate(byte[] encoded) throws IOException {
        return new X509CertificateHolder(encoded);
    }

    static DigestCalculatorProvider digests() throws OperatorCreationException {
        return new JcaDigestCalculatorProviderBuilder().setProvider(PROVIDER).build();
    }

    static AlgorithmIdentifier algorithm(String identifier) {
        return new AlgorithmIdentifier(new ASN1ObjectIdentifier(identifier));
    }

    static byte[] digest(AlgorithmIdentifier algorithm, byte[] content) throws OperatorCreationException, IOException {
        var calculator = digests().get(algorithm);
        try (OutputStream output = calculator.getOutputStream()) {
            output.write(content);
        }
        return calculator.getDigest();
    }

    static Date date(String seconds) {
        return new Date(1000 * Long.parseLong(seconds));
    }

    private static Signature identified(Question asked) throws GeneralSecurityException {
        Signature signature = Signature.getInstance("SM3withSM2", PROVIDER);
        if (asked.has("identity")) {
            signature.setParameter(new SM2ParameterSpec(asked.octets("identity")));
        }
        return signature;
    }

    /** The same signer under another name for how it signs. */
    private static ContentSigner named(ContentSigner signer, String identifier) {
        return new ContentSigner() {
            @Override
            public AlgorithmIdentifier getAlgorithmIdentifier() {
                return algorithm(identifier);
            }

            @Override
            public OutputStream getOutputStream() {
                return signer.getOutputStream();
            }

            @Override
            public byte[] getSignature() {
                return signer.getSignature();
            }
        };
    }
}
