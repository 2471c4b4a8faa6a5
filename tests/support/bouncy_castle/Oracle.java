import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.Security;
import java.util.Map;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * Bouncy Castle as a second opinion: writes and judges signed documents, timestamps and answers of OCSP.
 *
 * A question is a line of standard input, its answer a line of standard output: "told" and fields, or "refused" and
 * why.
 */
public final class Oracle {
    /** What answers one verb. */
    private interface Verb {
        Answer answer(Question asked) throws Exception;
    }

    private static final Map<String, Verb> VERBS = Map.ofEntries(
            Map.entry("version", asked -> new Answer().with("version", new BouncyCastleProvider().getVersionStr())),
            Map.entry("party", Signing::makeParty),
            Map.entry("sign", Signing::sign),
            Map.entry("verify", Signing::verify),
            Map.entry("cms.write", SignedDocuments::write),
            Map.entry("cms.judge", SignedDocuments::judge),
            Map.entry("timestamp.ask", Timestamps::ask),
            Map.entry("timestamp.read", Timestamps::read),
            Map.entry("timestamp.answer", Timestamps::answer),
            Map.entry("timestamp.judge", Timestamps::judge),
            Map.entry("ocsp.ask", Responses::ask),
            Map.entry("ocsp.read", Responses::read),
            Map.entry("ocsp.answer", Responses::answer),
            Map.entry("ocsp.judge", Responses::judge));

    private Oracle() {
    }

    public static void main(String[] arguments) throws IOException {
        Security.addProvider(new BouncyCastleProvider());
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            answers.println(answered(Question.read(line)));
        }
    }

    private static String answered(Question asked) {
        try {
            return VERBS.get(asked.verb()).answer(asked).toString();
        } catch (Exception refusal) {
            return "refused " + refusal.toString().replaceAll("\\s+", " ");
        }
    }
}
