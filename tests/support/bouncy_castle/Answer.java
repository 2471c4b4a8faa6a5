import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/** What is answered: fields as those of a question, written in the order in which they are added. */
final class Answer {
    private final StringBuilder line = new StringBuilder("told");

    Answer with(String name, byte[] octets) {
        line.append(' ').append(name).append('=').append(HexFormat.of().formatHex(octets));
        return this;
    }

    Answer with(String name, Object said) {
        return with(name, String.valueOf(said).getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public String toString() {
        return line.toString();
    }
}
