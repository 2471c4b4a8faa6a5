import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Logs a bidder in with a CA lock: challenge, signature, verification. Java 17, standard library only.
 *
 * <pre>java -Dfile.encoding=UTF-8 examples/VerifyLock.java http://127.0.0.1:8000 LOCK-DIRECTORY .venv/bin/accord</pre>
 *
 * The signature comes from the soft lock here ({@code accord lock sign}); a platform calls the lock's own middleware.
 * Exit code 0 when the lock counts, 1 when not, 2 when the question is refused. A real platform reads JSON with the
 * library that it has; the reader at the end keeps this example to one file.
 */
public final class VerifyLock {
    private static final String PLATFORM = "测试交易平台";
    private static final String PURPOSE = "bidding.login";
    private static final String JURISDICTION = "CN-SC";
    // 终端编码不是 UTF-8 的，也照样输出中文 · Chinese, whatever the terminal says of itself.
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private static final PrintStream ERRORS = new PrintStream(System.err, true, StandardCharsets.UTF_8);
    // HTTP/1.1: with the default, Java asks to upgrade to HTTP/2, and servers without it lose the body.
    private static final HttpClient CLIENT = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();

    public static void main(String[] arguments) throws IOException, InterruptedException {
        String service = arguments[0];
        Path lock = Path.of(arguments[1]);
        Map<?, ?> challenge = post(service + "/v1/ca/challenges",
                "{\"purpose\": %s, \"relying_party\": %s}".formatted(quoted(PURPOSE), quoted(PLATFORM)));
        String signature = sign(arguments[2], lock, (String) challenge.get("to_be_signed"));
        Map<?, ?> answer = post(service + "/v1/ca/verifications", """
                {"challenge_id": %s, "certificate": %s, "signature": %s, "signature_format": "raw",
                 "jurisdiction": %s, "purpose": %s, "relying_party": %s}
                """.formatted(
                quoted((String) challenge.get("challenge_id")),
                quoted(Files.readString(lock.resolve("signing.pem"))),
                quoted(signature),
                quoted(JURISDICTION),
                quoted(PURPOSE),
                quoted(PLATFORM)));
        show(answer);
        // The receipt is the proof of a year later: keep it with the login.
        Files.writeString(Path.of("lock-receipt.jws"), (String) answer.get("receipt"));
        System.exit("recognized".equals(answer.get("decision")) ? 0 : 1);
    }

    private static Map<?, ?> post(String address, String body) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(address))
                .timeout(Duration.ofSeconds(10))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body, StandardCharsets.UTF_8))
                .build();
        HttpResponse<String> answer =
                CLIENT.send(request, HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
        if (answer.statusCode() != 200) {
            stop(answer);
        }
        return Json.read(answer.body());
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

    private static String quoted(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + "\"";
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
