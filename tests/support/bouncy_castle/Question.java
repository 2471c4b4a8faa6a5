import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** What is asked: a verb and named fields of octets, on one line in hexadecimal. A field may come several times. */
record Question(String verb, Map<String, List<byte[]>> fields) {
    static Question read(String line) {
        String[] words = line.split(" ");
        Map<String, List<byte[]>> fields = new HashMap<>();
        for (int place = 1; place < words.length; place++) {
            String[] field = words[place].split("=", 2);
            fields.computeIfAbsent(field[0], name -> new ArrayList<>()).add(HexFormat.of().parseHex(field[1]));
        }
        return new Question(words[0], fields);
    }

    boolean has(String name) {
        return fields.containsKey(name);
    }

    /** All fields of a name, in their order. */
    List<byte[]> all(String name) {
        return fields.getOrDefault(name, List.of());
    }

    byte[] octets(String name) {
        return all(name).get(0);
    }

    String text(String name) {
        return text(name, 0);
    }

    String text(String name, int place) {
        return new String(all(name).get(place), StandardCharsets.UTF_8);
    }

    String text(String name, String otherwise) {
        return has(name) ? text(name) : otherwise;
    }
}
