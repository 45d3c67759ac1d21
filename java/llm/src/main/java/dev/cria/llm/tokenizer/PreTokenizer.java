package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import tools.jackson.databind.JsonNode;

/**
 * Cuts a text into the stretches that merges of a byte-level BPE may not cross: the {@code
 * pre_tokenizer} of a {@code tokenizer.json}, stage after stage.
 */
final class PreTokenizer {
  /** The pattern of GPT-2, which stands behind {@code ByteLevel} stages. */
  private static final String GPT2 =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

  private final List<Stage> stages = new ArrayList<>();
  private boolean byteLevel;

  /**
   * One pass over all stretches.
   *
   * @param prefixSpace whether a stretch that does not begin with a space gets one first
   * @param pattern what is cut out; null if nothing is
   * @param keepMatches whether matches stay
   * @param keepGaps whether what lies between matches stays
   */
  private record Stage(
      boolean prefixSpace,
      @org.jspecify.annotations.Nullable Pattern pattern,
      boolean keepMatches,
      boolean keepGaps) {}

  /** Reads the {@code pre_tokenizer} entry; refuses kinds it does not know. */
  PreTokenizer(JsonNode node, String where) {
    add(node, where);
  }

  /**
   * Whether there is a {@code ByteLevel} stage, so that pieces are written in the byte alphabet.
   */
  boolean isByteLevel() {
    return byteLevel;
  }

  /** The stretches in order. */
  List<String> split(String text) {
    List<String> parts = List.of(text);
    for (Stage stage : stages) {
      List<String> next = new ArrayList<>();
      for (String part : parts) {
        apply(stage, part, next);
      }
      parts = next;
    }
    return parts;
  }

  private static void apply(Stage stage, String given, List<String> out) {
    String part = stage.prefixSpace() && !given.startsWith(" ") ? " " + given : given;
    if (stage.pattern() == null) {
      out.add(part);
      return;
    }
    Matcher matcher = stage.pattern().matcher(part);
    int end = 0;
    while (matcher.find()) {
      if (matcher.end() == matcher.start()) {
        continue;
      }
      if (stage.keepGaps() && matcher.start() > end) {
        out.add(part.substring(end, matcher.start()));
      }
      if (stage.keepMatches()) {
        out.add(matcher.group());
      }
      end = matcher.end();
    }
    if (stage.keepGaps() && end < part.length()) {
      out.add(part.substring(end));
    }
  }

  private void add(JsonNode node, String where) {
    String type = node.path("type").asString("");
    switch (type) {
      case "Sequence" -> {
        for (JsonNode stage : node.path("pretokenizers")) {
          add(stage, where);
        }
      }
      case "ByteLevel" -> {
        byteLevel = true;
        boolean regex = node.path("use_regex").asBoolean(true);
        stages.add(
            new Stage(
                node.path("add_prefix_space").asBoolean(true),
                regex ? compile(GPT2, where) : null,
                true,
                true));
      }
      case "Digits" -> {
        String digits = node.path("individual_digits").asBoolean(false) ? "\\p{N}" : "\\p{N}+";
        stages.add(new Stage(false, compile(digits, where), true, true));
      }
      case "Split" -> split(node, where);
      default ->
          throw new InvalidInputException(
              where,
              "pre-tokeniser \""
                  + type
                  + "\" is not supported; Sequence, ByteLevel, Digits and Split are");
    }
  }

  private void split(JsonNode node, String where) {
    JsonNode pattern = node.path("pattern");
    String regex =
        pattern.has("Regex")
            ? pattern.get("Regex").asString("")
            : Pattern.quote(pattern.path("String").asString(""));
    boolean invert = node.path("invert").asBoolean(false);
    String behavior = node.path("behavior").asString("");
    switch (behavior) {
      case "Isolated" -> stages.add(new Stage(false, compile(regex, where), true, true));
      case "Removed" -> stages.add(new Stage(false, compile(regex, where), invert, !invert));
      default ->
          throw new InvalidInputException(
              where,
              "split behaviour \"" + behavior + "\" is not supported; Isolated and Removed are");
    }
  }

  private static Pattern compile(String regex, String where) {
    if (regex.contains("[:") || regex.contains("&&")) {
      throw new InvalidInputException(
          where, "pattern " + regex + " uses syntax that is not supported");
    }
    try {
      return Pattern.compile(regex, Pattern.UNICODE_CHARACTER_CLASS);
    } catch (PatternSyntaxException e) {
      throw new InvalidInputException(where, "pattern " + regex + ": " + e.getDescription(), e);
    }
  }
}
