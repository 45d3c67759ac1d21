package dev.cria.llm.checkpoint;

import dev.cria.llm.InvalidInputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Reads and writes the small JSON files of a checkpoint; errors name file and field. */
public final class Json {
  private static final JsonMapper MAPPER = JsonMapper.builder().build();
  private static final JsonMapper PRETTY =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  /** The index of a large model has some hundred kilobytes. */
  private static final long MAX_BYTES = 64L << 20;

  private Json() {}

  /** The object in a file. */
  public static JsonNode read(Path file) {
    try {
      if (!Files.isRegularFile(file)) {
        throw new InvalidInputException(file.toString(), "no such file");
      }
      if (Files.size(file) > MAX_BYTES) {
        throw new InvalidInputException(
            file.toString(), "has " + Files.size(file) + " bytes, at most " + MAX_BYTES);
      }
      return parse(Files.readAllBytes(file), file.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The object in UTF-8 bytes; {@code where} names their origin. */
  public static JsonNode parse(byte[] bytes, String where) {
    JsonNode root;
    try {
      root = MAPPER.readTree(bytes);
    } catch (JacksonException e) {
      throw new InvalidInputException(where, "not valid JSON: " + e.getOriginalMessage(), e);
    }
    if (!root.isObject()) {
      throw new InvalidInputException(where, "not a JSON object");
    }
    return root;
  }

  /** The members of an object-valued field of the object in a file. */
  static Map<String, JsonNode> object(Path file, String field) {
    JsonNode node = read(file).get(field);
    if (node == null || !node.isObject()) {
      throw new InvalidInputException(file.toString(), field + " is absent or not an object");
    }
    Map<String, JsonNode> members = new LinkedHashMap<>();
    node.properties().forEach(e -> members.put(e.getKey(), e.getValue()));
    return members;
  }

  /** A field that must be a whole number in [least, most]. */
  public static long integer(JsonNode root, String field, long least, long most, String where) {
    JsonNode node = root.get(field);
    if (node == null
        || !node.isNumber()
        || !node.canConvertToLong()
        || node.doubleValue() != node.longValue()
        || node.longValue() < least
        || node.longValue() > most) {
      throw new InvalidInputException(
          where,
          field
              + " is "
              + text(node)
              + ", a whole number from "
              + least
              + " to "
              + most
              + " expected");
    }
    return node.longValue();
  }

  /** A field that must be a finite number. */
  public static double number(JsonNode root, String field, String where) {
    JsonNode node = root.get(field);
    if (node == null || !node.isNumber() || !Double.isFinite(node.doubleValue())) {
      throw new InvalidInputException(where, field + " is " + text(node) + ", a number expected");
    }
    return node.doubleValue();
  }

  /** A field that must be a string. */
  public static String string(JsonNode root, String field, String where) {
    JsonNode node = root.get(field);
    if (node == null || !node.isString()) {
      throw new InvalidInputException(where, field + " is " + text(node) + ", a string expected");
    }
    return node.stringValue();
  }

  private static String text(@Nullable JsonNode node) {
    return node == null ? "absent" : node.toString();
  }

  /** Compact JSON of maps, lists, strings, numbers and booleans. */
  public static String compact(Object value) {
    return MAPPER.writeValueAsString(value);
  }

  /** Writes indented JSON. */
  public static void write(Object value, Path file) {
    try {
      Files.write(file, PRETTY.writeValueAsBytes(value));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
