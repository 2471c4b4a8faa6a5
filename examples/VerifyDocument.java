import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Base64;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * 核验投标文件的签名 · Judges the signatures of a bid: who signed, and since when. Java 17, standard library only.
 *
 * <pre>java -Dfile.encoding=UTF-8 examples/VerifyDocument.java http://127.0.0.1:8000 bid.p7m
 * java -Dfile.encoding=UTF-8 -Ddeadline=2026-12-01T01:30:00Z examples/VerifyDocument.java \
 *     http://127.0.0.1:8000 bid.p7s bid.pdf</pre>
 *
 * 投标时问一次，保存凭证；开标时带截止时间再问，凭证证明截止前已签。
 * Ask when the bid comes in and keep the receipt; ask again with the deadline when bids are opened: the receipt proves
 * that the signatures were there before.
 *
 * A real platform reads JSON with the library that it has; the expressions below keep this example to one file.
 */
public final class VerifyDocument {
    // 单位和法定代表人须各签一次，且属同一单位 · The company and its legal representative must both have signed.
    private static final String QUESTION = """
            {"jurisdiction": "CN-SC", "purpose": "bidding.sign", "relying_party": "测试交易平台",
             "requirement": {"unit": 1, "legal_representative": 1, "same_subject": true},
             "signature_format": "cms", "signature": "%s"%s}
            """;
    private static final Pattern SIGNER = Pattern.compile("\"role\":\"(\\w+)\".*?"
            + "\"proven_time\":(?:null|\\{.*?\"instant\":\"([^\"]+)\".*?\\}),.*?"
            + "\"decision\":\"(\\w+)\",\"certificate\":(?:null|\\{.*?\"uscc\":(?:null|\"(\\w+)\"))");
    // HTTP/1.1: with the default, Java asks to upgrade to HTTP/2, and servers without it lose the body.
    private static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();

    public static void main(String[] arguments) throws IOException, InterruptedException {
        Path message = Path.of(arguments[1]);
        String name = message.getFileName().toString().replaceFirst("\\.p7[ms]$", "");
        // 凭证按签名的摘要命名：重新签署的文件另有其凭证
        // Named by the signature: a bid that is signed anew has its own receipt.
        name += "." + digest(Files.readAllBytes(message));
        Path submitted = message.resolveSibling(name + ".submitted.jws");
        String deadline = System.getProperty("deadline");
        String more = "";
        if (deadline != null) {
            more = ", \"deadline\": \"" + deadline + "\"";
            if (Files.exists(submitted)) {
                more += ", \"evidence\": [{\"kind\": \"receipt\", \"value\": \"" + Files.readString(submitted) + "\"}]";
            }
        }
        byte[] document = arguments.length > 2 ? Files.readAllBytes(Path.of(arguments[2])) : null;
        String answer = judge(arguments[0] + "/v1/ca/signatures", text(Files.readAllBytes(message)), more, document);
        String decision = member(answer, "decision");
        System.out.println(decision + " " + member(answer, "label"));
        Matcher signer = SIGNER.matcher(answer.substring(answer.indexOf("\"signers\":[")));
        while (signer.find()) {
            System.out.println(String.join(" ", "*", signer.group(1), String.valueOf(signer.group(4)),
                    signer.group(3), signer.group(2) == null ? "—" : signer.group(2)));
        }
        // 凭证是日后的凭据，应与文件一并保存；最早的证明力最强
        // The receipt is the proof of a year later: keep it with the bid. The earliest proves the most.
        if (deadline != null) {
            Files.writeString(message.resolveSibling(name + ".opened.jws"), member(answer, "receipt"));
        } else if (!Files.exists(submitted)) {
            Files.writeString(submitted, member(answer, "receipt"));
        }
        System.exit(decision.equals("recognized") ? 0 : 1);
    }

    /** The answer. Of a document beside the message a digest is enough for most signatures: it stays in the house. */
    private static String judge(String address, String signature, String more, byte[] document)
            throws IOException, InterruptedException {
        if (document == null) {
            return accepted(post(address, QUESTION.formatted(signature, more)));
        }
        try {
            // Java 自身没有 SM3；装有 BouncyCastle 等时才有 · Java itself has no SM3; a provider may bring it.
            String digest = text(MessageDigest.getInstance("SM3").digest(document));
            String given = more + ", \"digest_kind\": \"sm3\", \"digest\": \"" + digest + "\"";
            HttpResponse<String> answer = post(address, QUESTION.formatted(signature, given));
            if (answer.statusCode() != 422 || !member(answer.body(), "code").equals("digest.insufficient")) {
                return accepted(answer);
            }
        } catch (NoSuchAlgorithmException none) {
            // 改交原文 · the document itself, then
        }
        String given = more + ", \"content\": \"" + text(document) + "\"";
        return accepted(post(address, QUESTION.formatted(signature, given)));
    }

    private static HttpResponse<String> post(String address, String body) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(address))
                .timeout(Duration.ofSeconds(30))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body, StandardCharsets.UTF_8))
                .build();
        return CLIENT.send(request, HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
    }

    private static String accepted(HttpResponse<String> answer) throws IOException {
        if (answer.statusCode() != 200) {
            throw new IOException(answer.statusCode() + " " + answer.body());
        }
        return answer.body();
    }

    private static String member(String json, String name) throws IOException {
        Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([^\"\\\\]*)\"").matcher(json);
        if (!found.find()) {
            throw new IOException("the answer has no " + name);
        }
        return found.group(1);
    }

    private static String digest(byte[] octets) throws IOException {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(octets), 0, 8);
        } catch (NoSuchAlgorithmException none) {
            throw new IOException(none);
        }
    }

    private static String text(byte[] octets) {
        return Base64.getEncoder().encodeToString(octets);
    }
}
