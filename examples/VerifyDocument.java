import java.io.IOException;
import java.io.PrintStream;
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
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

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
 * Exit code 0 when it is signed as it must be, 1 when not, 2 when the question is refused. A real platform reads JSON
 * with the library that it has; the reader at the end keeps this example to one file.
 */
public final class VerifyDocument {
    // 单位和法定代表人须各签一次，且属同一单位 · The company and its legal representative must both have signed.
    private static final String QUESTION = """
            {"jurisdiction": "CN-SC", "purpose": "bidding.sign", "relying_party": "测试交易平台",
             "requirement": {"unit": 1, "legal_representative": 1, "same_subject": true},
             "signature_format": "cms", "signature": "%s"%s}
            """;
    // 终端编码不是 UTF-8 的，也照样输出中文 · Chinese, whatever the terminal says of itself.
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private static final PrintStream ERRORS = new PrintStream(System.err, true, StandardCharsets.UTF_8);
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
        Map<?, ?> answer = judge(arguments[0] + "/v1/ca/signatures", base64(Files.readAllBytes(message)), more, document);
        show(answer);
        for (Map<?, ?> signer : entries(answer, "signers")) {
            OUT.println(String.join(" ", "*", text(signer.get("role")), member(signer.get("certificate"), "uscc"),
                    text(signer.get("decision")), member(signer.get("proven_time"), "instant")));
        }
        // 凭证是日后的凭据，应与文件一并保存；最早的证明力最强
        // The receipt is the proof of a year later: keep it with the bid. The earliest proves the most.
        if (deadline != null) {
            Files.writeString(message.resolveSibling(name + ".opened.jws"), text(answer.get("receipt")));
        } else if (!Files.exists(submitted)) {
            Files.writeString(submitted, text(answer.get("receipt")));
        }
        System.exit("recognized".equals(answer.get("decision")) ? 0 : 1);
    }

    /** The answer. Of a document beside the message a digest is enough for most signatures: it stays in the house. */
    private static Map<?, ?> judge(String address, String signature, String more, byte[] document)
            throws IOException, InterruptedException {
        if (document == null) {
            return accepted(post(address, QUESTION.formatted(signature, more)));
        }
        try {
            // Java 自身没有 SM3；装有 BouncyCastle 等时才有 · Java itself has no SM3; a provider may bring it.
            String digest = base64(MessageDigest.getInstance("SM3").digest(document));
            String given = more + ", \"digest_kind\": \"sm3\", \"digest\": \"" + digest + "\"";
            HttpResponse<String> answer = post(address, QUESTION.formatted(signature, given));
            if (answer.statusCode() != 422 || !answer.body().contains("\"digest.insufficient\"")) {
                return accepted(answer);
            }
        } catch (NoSuchAlgorithmException none) {
            // 改交原文 · the document itself, then
        }
        String given = more + ", \"content\": \"" + base64(document) + "\"";
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

    private static Map<?, ?> accepted(HttpResponse<String> answer) throws IOException {
        if (answer.statusCode() != 200) {
            stop(answer);
        }
        return Json.read(answer.body());
    }

    private static String member(Object object, String name) {
        return object instanceof Map<?, ?> found ? text(found.get(name)) : "—";
    }

    private static String text(Object value) {
        return value == null ? "—" : value.toString();
    }

    private static String digest(byte[] octets) throws IOException {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(octets), 0, 8);
        } catch (NoSuchAlgorithmException none) {
            throw new IOException(none);
        }
    }

    private static String base64(byte[] octets) {
        return Base64.getEncoder().encodeToString(octets);
    }

    /** 问题文档（RFC 9457）所说的，随即结束 · Says what a problem document says, and ends: there is no answer. */
    private static void stop(HttpResponse<String> answer) throws IOException {
        String type = answer.headers().firstValue("Content-Type").orElse("");
        if (!type.startsWith("application/problem+json")) {
            throw new IOException(answer.statusCode() + " " + answer.body());
        }
        Map<?, ?> said = Json.read(answer.body());
        ERRORS.println(answer.statusCode() + " " + said.get("title") + ": " + said.get("detail") + " ["
                + said.get("code") + "]");
        for (Map<?, ?> entry : entries(said, "errors")) {
            ERRORS.println("- " + entry.get("pointer") + " " + entry.get("detail") + " [" + entry.get("code") + "]");
        }
        System.exit(2);
    }

    private static void show(Map<?, ?> answer) {
        OUT.println(answer.get("decision") + " " + answer.get("label"));
        for (Map<?, ?> reason : entries(answer, "reasons")) {
            OUT.println("- " + reason.get("message") + " [" + reason.get("code") + "]");
        }
    }

    private static List<Map<?, ?>> entries(Map<?, ?> object, String name) {
        List<Map<?, ?>> found = new ArrayList<>();
        for (Object entry : (List<?>) object.get(name)) {
            found.add((Map<?, ?>) entry);
        }
        return found;
    }

    /** 够用的 JSON 读取：对象为 Map，数组为 List · Just enough of JSON: objects are maps, arrays lists, the rest text. */
    private static final class Json {
        private final String text;
        private int at;

        private Json(String text) {
            this.text = text;
        }

        static Map<?, ?> read(String text) throws IOException {
            try {
                return (Map<?, ?>) new Json(text).value();
            } catch (ClassCastException | IndexOutOfBoundsException | NumberFormatException broken) {
                throw new IOException("not JSON: " + text, broken);
            }
        }

        private Object value() {
            char first = next();
            if (first == '"') {
                return string();
            }
            if (first == '{') {
                Map<String, Object> members = new LinkedHashMap<>();
                for (at++; next() != '}';) {
                    members.put(string(), value());
                }
                at++;
                return members;
            }
            if (first == '[') {
                List<Object> entries = new ArrayList<>();
                for (at++; next() != ']';) {
                    entries.add(value());
                }
                at++;
                return entries;
            }
            int begin = at;
            while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) {
                at++;
            }
            String word = text.substring(begin, at);
            return word.equals("null") ? null : word;
        }

        /** The next sign that is neither space nor between members. */
        private char next() {
            while (" \t\r\n,:".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
            return text.charAt(at);
        }

        private String string() {
            StringBuilder read = new StringBuilder();
            for (at = text.indexOf('"', at) + 1; text.charAt(at) != '"'; at++) {
                char sign = text.charAt(at);
                if (sign == '\\') {
                    sign = text.charAt(++at);
                    int control = "btnfr".indexOf(sign);
                    if (sign == 'u') {
                        sign = (char) Integer.parseInt(text.substring(at + 1, at + 5), 16);
                        at += 4;
                    } else if (control >= 0) {
                        sign = "\b\t\n\f\r".charAt(control);
                    }
                }
                read.append(sign);
            }
            at++;
            return read.toString();
        }
    }
}
