package dev.cria.llm.data;

import dev.cria.llm.InvalidInputException;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The records of a data file: JSON lines, a JSON array or object, or plain text ({@code .txt}),
 * gzip or not. Errors name file and line.
 *
 * @param examples the usable records in file order
 * @param dropped how many records were left out, by reason
 */
public record DataSet(List<Example> examples, Map<String, Integer> dropped) {
  private static final JsonMapper MAPPER =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  /** Copies list and map. */
  public DataSet {
    examples = List.copyOf(examples);
    dropped = Map.copyOf(dropped);
  }

  /** Reads a whole file; a file without records is an error. */
  public static DataSet load(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new InvalidInputException(file.toString(), "no such data file");
    }
    Collector out = new Collector();
    LineCounter lines = new LineCounter();
    try (InputStream in = open(file)) {
      read(in, file, lines, new RecordReader(out), out);
    } catch (CharacterCodingException e) {
      throw new InvalidInputException(
          file + ":" + lines.line, "not UTF-8 from here on; convert the file first", e);
    } catch (ZipException | java.io.EOFException e) {
      throw new InvalidInputException(file.toString(), "damaged gzip file: " + e.getMessage(), e);
    }
    if (out.examples.isEmpty()) {
      String why = out.dropped.isEmpty() ? "" : "; all were left out: " + out.dropped;
      throw new InvalidInputException(file.toString(), "no records" + why);
    }
    return new DataSet(out.examples, out.dropped);
  }

  /** Takes what a {@link RecordReader} finds. */
  static final class Collector {
    private final List<Example> examples = new ArrayList<>();
    private final Map<String, Integer> dropped = new LinkedHashMap<>();

    void add(Example example) {
      examples.add(example);
    }

    void drop(String reason) {
      dropped.merge(reason, 1, Integer::sum);
    }
  }

  /** The line being read, for errors that come from below. */
  private static final class LineCounter {
    private int line = 1;
  }

  private static InputStream open(Path file) throws IOException {
    BufferedInputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
    boolean done = false;
    try {
      in.mark(2);
      boolean gzip = in.read() == 0x1F && in.read() == 0x8B;
      in.reset();
      InputStream result = gzip ? new BufferedInputStream(new GZIPInputStream(in), 1 << 16) : in;
      done = true;
      return result;
    } finally {
      if (!done) {
        in.close();
      }
    }
  }

  private static void read(
      InputStream in, Path file, LineCounter lines, RecordReader records, Collector out)
      throws IOException {
    BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(
                in,
                StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)),
            1 << 16);
    String name = String.valueOf(file.getFileName()).toLowerCase(Locale.ROOT);
    if (name.endsWith(".csv") || name.endsWith(".csv.gz") || name.endsWith(".parquet")) {
      throw new InvalidInputException(
          file.toString(), "not a supported kind of file; JSON, JSON lines and .txt are, gzip too");
    }
    if (name.endsWith(".txt") || name.endsWith(".txt.gz")) {
      text(reader, file, lines, out);
      return;
    }
    int first = firstCharacter(reader, lines);
    switch (first) {
      case -1 -> {}
      case '[' -> array(reader, file, lines.line, records);
      case '{' -> objects(reader, file, lines, records);
      default ->
          throw new InvalidInputException(
              file + ":" + lines.line,
              "neither JSON nor JSON lines: begins with '"
                  + Character.toString(first)
                  + "'; plain text needs the ending .txt");
    }
  }

  /** Passes over a byte-order mark and white space; the character found is left in the reader. */
  private static int firstCharacter(BufferedReader reader, LineCounter lines) throws IOException {
    while (true) {
      reader.mark(1);
      int c = reader.read();
      if (c == '\n') {
        lines.line++;
      }
      if (c == -1 || !(c == 0xFEFF || Character.isWhitespace(c))) {
        reader.reset();
        return c;
      }
    }
  }

  private static void text(BufferedReader reader, Path file, LineCounter lines, Collector out)
      throws IOException {
    StringBuilder text = new StringBuilder();
    char[] buffer = new char[1 << 14];
    for (int count = reader.read(buffer); count >= 0; count = reader.read(buffer)) {
      text.append(buffer, 0, count);
      for (int i = 0; i < count; i++) {
        lines.line += buffer[i] == '\n' ? 1 : 0;
      }
    }
    if (!text.isEmpty() && text.charAt(0) == '\uFEFF') {
      text.deleteCharAt(0);
    }
    if (!text.toString().isBlank()) {
      out.add(new Example.TextExample(file + ":1", text.toString()));
    }
  }

  private static void array(BufferedReader reader, Path file, int firstLine, RecordReader records) {
    try (JsonParser parser = MAPPER.createParser(reader)) {
      parser.nextToken();
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        String origin = file + ":" + (firstLine - 1 + parser.currentTokenLocation().getLineNr());
        if (parser.currentToken() != JsonToken.START_OBJECT) {
          throw new InvalidInputException(origin, "an element of the array is not an object");
        }
        JsonNode node = parser.readValueAsTree();
        records.read(node, origin);
      }
      if (parser.nextToken() != null) {
        throw new InvalidInputException(
            file + ":" + (firstLine - 1 + parser.currentTokenLocation().getLineNr()),
            "text after the end of the array");
      }
    } catch (JacksonException e) {
      throw broken(e, file, firstLine - 1);
    }
  }

  private static void objects(
      BufferedReader reader, Path file, LineCounter lines, RecordReader records)
      throws IOException {
    int firstLine = lines.line;
    String line = reader.readLine();
    if (!complete(line)) {
      // Not JSON lines: one object over many lines.
      StringBuilder all = new StringBuilder(line);
      for (String more = reader.readLine(); more != null; more = reader.readLine()) {
        lines.line++;
        all.append('\n').append(more);
      }
      try {
        records.readObject(MAPPER.readTree(all.toString()), file + ":" + firstLine);
      } catch (JacksonException e) {
        throw broken(e, file, firstLine - 1);
      }
      return;
    }
    for (; line != null; line = reader.readLine()) {
      if (!line.isBlank()) {
        JsonNode node;
        try {
          node = MAPPER.readTree(line);
        } catch (JacksonException e) {
          throw broken(e, file, lines.line - 1);
        }
        String origin = file + ":" + lines.line;
        if (!node.isObject()) {
          throw new InvalidInputException(origin, "not a JSON object");
        }
        records.readObject(node, origin);
      }
      lines.line++;
    }
  }

  private static boolean complete(String line) {
    try {
      return MAPPER.readTree(line).isObject();
    } catch (JacksonException e) {
      return false;
    }
  }

  private static InvalidInputException broken(JacksonException e, Path file, int linesBefore) {
    int line =
        linesBefore + (e.getLocation() == null ? 1 : Math.max(1, e.getLocation().getLineNr()));
    return new InvalidInputException(
        file + ":" + line, "not valid JSON: " + e.getOriginalMessage(), e);
  }
}
