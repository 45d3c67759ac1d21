package dev.cria.llm.data;

import dev.cria.llm.InvalidInputException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Reads multiple-choice questions: HellaSwag, and questions with a list of options. */
final class ChoiceReader {
  private ChoiceReader() {}

  static boolean recognises(JsonNode r) {
    return (r.path("endings").isArray() && RecordReader.has(r, "ctx", "label"))
        || (RecordReader.has(r, "question")
            && (r.path("alternatives").isArray()
                || options(r) != null
                || r.path("mc1_targets").isObject()));
  }

  static void read(JsonNode r, String origin, DataSet.Collector out) {
    if (r.path("endings").isArray()) {
      List<String> endings = strings(r.get("endings"), origin);
      out.add(
          example(
              origin,
              RecordReader.text(r, "ctx", origin),
              endings,
              label(r.get("label"), null, origin)));
      return;
    }
    String before = r.path("context").asString("");
    String context =
        (before.isEmpty() ? "" : before + "\n")
            + "Question: "
            + RecordReader.text(r, "question", origin)
            + "\nAnswer:";
    if (r.path("mc1_targets").isObject()) {
      targets(r.get("mc1_targets"), context, origin, out);
      return;
    }
    if (r.path("has_associated_images").asBoolean(false)) {
      out.drop("it refers to an image");
      return;
    }
    JsonNode options = options(r);
    if (options == null) {
      out.drop("no options are given");
      return;
    }
    JsonNode names = options.isObject() ? options.path("label") : null;
    List<String> endings = strings(options.isObject() ? options.path("text") : options, origin);
    JsonNode answer = answer(r);
    if (answer == null) {
      out.drop("no answer is given");
      return;
    }
    out.add(example(origin, context, endings, label(answer, names, origin)));
  }

  /**
   * The options of a question: a list of texts, or an object of the lists {@code text} and {@code
   * label}.
   */
  private static @Nullable JsonNode options(JsonNode r) {
    for (String field : List.of("choices", "options", "alternatives")) {
      JsonNode node = r.path(field);
      if ((node.isArray() && !node.isEmpty() && node.get(0).isString())
          || node.path("text").isArray()) {
        return node;
      }
    }
    return null;
  }

  private static void targets(JsonNode map, String context, String origin, DataSet.Collector out) {
    List<String> endings = new ArrayList<>();
    int label = -1;
    for (Map.Entry<String, JsonNode> entry : map.properties()) {
      if (entry.getValue().asInt(0) == 1) {
        label = endings.size();
      }
      endings.add(entry.getKey());
    }
    out.add(example(origin, context, endings, label));
  }

  private static Example example(String origin, String context, List<String> endings, int label) {
    if (endings.size() < 2 || label < 0 || label >= endings.size()) {
      throw new InvalidInputException(
          origin, "the answer is option " + label + " of " + endings.size());
    }
    return new Example.ChoiceExample(origin, context, endings, label);
  }

  /** The first of the usual fields that says something. */
  private static @Nullable JsonNode answer(JsonNode r) {
    for (String field : List.of("answerKey", "answer", "label", "gold")) {
      JsonNode node = r.path(field);
      if (node.isIntegralNumber() || (node.isString() && !node.stringValue().isBlank())) {
        return node;
      }
    }
    return null;
  }

  /** A label as number, number in a string, name in a list of names, or letter. */
  private static int label(@Nullable JsonNode node, @Nullable JsonNode names, String origin) {
    if (node != null && node.isIntegralNumber() && node.canConvertToInt()) {
      return node.intValue();
    }
    String text = node != null && node.isString() ? node.stringValue().strip() : "";
    if (names != null) {
      for (int i = 0; i < names.size(); i++) {
        if (names.get(i).asString("").equals(text)) {
          return i;
        }
      }
    }
    if (text.matches("[0-9]{1,3}")) {
      return Integer.parseInt(text);
    }
    if (text.matches("[A-Za-z]")) {
      return Character.toUpperCase(text.charAt(0)) - 'A';
    }
    throw new InvalidInputException(
        origin, "the answer " + node + " is neither a number nor a letter");
  }

  private static List<String> strings(JsonNode list, String origin) {
    List<String> texts = new ArrayList<>();
    for (JsonNode node : list) {
      if (!node.isString()) {
        throw new InvalidInputException(origin, "an option is not a text: " + node);
      }
      texts.add(node.stringValue());
    }
    return texts;
  }
}
