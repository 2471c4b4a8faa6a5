import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Logs a bidder in with a CA lock: challenge, signature, verification. Java 17, standard library only.
 *
 * <pre>java -Dfile.encoding=UTF-8 examples/VerifyLock.java http://127.0.0.1:8000 LOCK-DIRECTORY .venv/bin/accord</pre>
 *
 * The signature comes from the soft lock here ({@code accord lock sign}); a platform calls the lock's own middleware.
 * A real platform reads JSON with the library that it has; the two expressions below keep this example to one file.
 */
public final class VerifyLock {
    private static final String PLATFORM = "测试交易平台";
    private static final String PURPOSE = "bidding.login";
    private static final String JURISDICTION = "CN-SC";
    // HTTP/1.1: with the default, Java asks to upgrade to HTTP/2, and servers without it lose the body.
    private static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();

    public static void main(String[] arguments) throws IOException, InterruptedException {
        String service = arguments[0];
        Path lock = Path.of(arguments[1]);
        String challenge = post(service + "/v1/ca/challenges",
                "{\"purpose\": %s, \"relying_party\": %s}".formatted(quoted(PURPOSE), quoted(PLATFORM)));
        String signature = sign(arguments[2], lock, member(challenge, "to_be_signed"));
        String answer = post(service + "/v1/ca/verifications", """
                {"challenge_id": %s, "certificate": %s, "signature": %s, "signature_format": "raw",
                 "jurisdiction": %s, "purpose": %s, "relying_party": %s}
                """.formatted(
                quoted(member(challenge, "challenge_id")),
                quoted(Files.readString(lock.resolve("signing.pem"))),
                quoted(signature),
                quoted(JURISDICTION),
                quoted(PURPOSE),
                quoted(PLATFORM)));
        String decision = member(answer, "decision");
        System.out.println(decision + " " + member(answer, "label"));
        // The receipt is the proof of a year later: keep it with the login.
        Files.writeString(Path.of("lock-receipt.jws"), member(answer, "receipt"));
        System.exit(decision.equals("recognized") ? 0 : 1);
    }

    private static String post(String address, String body) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(address))
                .timeout(Duration.ofSeconds(10))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body, StandardCharsets.UTF_8))
                .build();
        HttpResponse<String> answer =
                CLIENT.send(request, HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
        if (answer.statusCode() != 200) {
            throw new IOException(answer.statusCode() + " " + answer.body());
        }
        return answer.body();
    }

    private static String sign(String accord, Path lock, String toBeSigned) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(accord, "lock", "sign", "--lock", lock.toString(), "--challenge", "-")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (var input = process.getOutputStream()) {
            input.write(toBeSigned.getBytes(StandardCharsets.US_ASCII));
        }
        String signature = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
        if (process.waitFor() != 0) {
            throw new IOException("the lock did not sign");
        }
        return signature;
    }

    private static String member(String json, String name) throws IOException {
        Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([^\"\\\\]*)\"").matcher(json);
        if (!found.find()) {
            throw new IOException("the answer has no " + name);
        }
        return found.group(1);
    }

    private static String quoted(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + "\"";
    }
}
