package dev.cria.llm.data;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.chat.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/** Tells from its fields what kind of record a JSON object is, and reads it. */
final class RecordReader {
  private static final String KNOWN =
      "text; prompt and completion; instruction and output; messages; conversations; chosen and rejected; "
          + "question and answer; ctx, endings and label; question, choices and answer";

  private final DataSet.Collector out;

  RecordReader(DataSet.Collector out) {
    this.out = out;
  }

  /** Reads an object that stands for itself in a file: a record, or a holder of records. */
  void readObject(JsonNode node, String origin) {
    if (isRecord(node)) {
      read(node, origin);
      return;
    }
    // One list of objects, whatever its name, or an object whose values are all records.
    List<JsonNode> lists = new ArrayList<>();
    for (JsonNode value : node) {
      if (value.isArray() && !value.isEmpty() && value.get(0).isObject()) {
        lists.add(value);
      }
    }
    if (lists.size() == 1) {
      lists.getFirst().forEach(record -> read(record, origin));
    } else if (!node.isEmpty() && node.valueStream().allMatch(JsonNode::isObject)) {
      node.forEach(record -> read(record, origin));
    } else {
      throw unknown(node, origin);
    }
  }

  /** Reads a record. */
  void read(JsonNode r, String origin) {
    if (has(r, "chosen", "rejected")
        || has(r, "chosen_messages", "rejected_messages")
        || has(r, "response_j", "response_k")) {
      new PairReader(out).read(r, origin);
    } else if (has(r, "messages") || has(r, "conversations")) {
      dialogue(r, origin);
    } else if (has(r, "prompt", "completion") && r.get("prompt").isArray()) {
      promptedDialogue(r, origin);
    } else if (has(r, "prompt", "completion")) {
      out.add(
          new Example.PromptCompletion(
              origin, text(r, "prompt", origin), text(r, "completion", origin)));
    } else if (has(r, "prompt", "canonical_solution")) {
      out.add(
          new Example.PromptCompletion(
              origin, text(r, "prompt", origin), text(r, "canonical_solution", origin)));
    } else if (has(r, "instruction", "instances")) {
      for (JsonNode instance : r.get("instances")) {
        out.add(instruction(origin, text(r, "instruction", origin), instance, "output", origin));
      }
    } else if (has(r, "instruction", "output")) {
      out.add(instruction(origin, text(r, "instruction", origin), r, "output", origin));
    } else if (has(r, "instruction", "response")) {
      out.add(instruction(origin, text(r, "instruction", origin), r, "response", origin));
    } else if (ChoiceReader.recognises(r)) {
      ChoiceReader.read(r, origin, out);
    } else if (has(r, "QUESTION", "CONTEXTS") && has(r, "LONG_ANSWER")) {
      String contexts =
          r.get("CONTEXTS")
              .valueStream()
              .map(c -> c.asString(""))
              .collect(Collectors.joining("\n"));
      out.add(
          new Example.InstructionExample(
              origin, text(r, "QUESTION", origin), contexts, text(r, "LONG_ANSWER", origin)));
    } else if (has(r, "question", "answer")) {
      out.add(
          new Example.InstructionExample(
              origin, text(r, "question", origin), "", text(r, "answer", origin)));
    } else if (has(r, "input", "target")) {
      out.add(
          new Example.InstructionExample(
              origin, text(r, "input", origin), "", text(r, "target", origin)));
    } else if (has(r, "text")) {
      out.add(new Example.TextExample(origin, text(r, "text", origin)));
    } else {
      throw unknown(r, origin);
    }
  }

  private static boolean isRecord(JsonNode r) {
    return has(r, "chosen", "rejected")
        || has(r, "chosen_messages", "rejected_messages")
        || has(r, "response_j", "response_k")
        || has(r, "messages")
        || has(r, "conversations")
        || has(r, "prompt", "completion")
        || has(r, "prompt", "canonical_solution")
        || has(r, "instruction")
        || ChoiceReader.recognises(r)
        || has(r, "QUESTION", "CONTEXTS")
        || has(r, "question", "answer")
        || has(r, "input", "target")
        || has(r, "text");
  }

  private void dialogue(JsonNode r, String origin) {
    String field = has(r, "messages") ? "messages" : "conversations";
    JsonNode label = r.path("label");
    if (label.isBoolean() && !label.booleanValue()) {
      out.drop("its label says that the answer is a bad one");
      return;
    }
    Dialogues.Weighted w = Dialogues.read(r.get(field), field, origin);
    if (w.messages().stream().noneMatch(Message::isAssistant)) {
      throw new InvalidInputException(
          origin, "the dialogue has no assistant turn, so there is nothing to learn");
    }
    out.add(new Example.ChatExample(origin, w.messages(), w.weights()));
  }

  /** Prompt and completion that are both lists of messages: only the completion is learned. */
  private void promptedDialogue(JsonNode r, String origin) {
    Dialogues.Weighted prompt = Dialogues.read(r.get("prompt"), "prompt", origin);
    Dialogues.Weighted completion = Dialogues.read(r.get("completion"), "completion", origin);
    List<Message> messages = new ArrayList<>(prompt.messages());
    messages.addAll(completion.messages());
    List<Float> weights = new ArrayList<>();
    prompt.messages().forEach(m -> weights.add(0f));
    weights.addAll(completion.weights());
    out.add(new Example.ChatExample(origin, messages, weights));
  }

  private static Example instruction(
      String at, String instruction, JsonNode holder, String output, String origin) {
    String input = holder.path("input").isString() ? holder.get("input").stringValue() : "";
    return new Example.InstructionExample(at, instruction, input, text(holder, output, origin));
  }

  /** A field that must be a string. */
  static String text(JsonNode r, String field, String origin) {
    JsonNode node = r.path(field);
    if (!node.isString()) {
      throw new InvalidInputException(origin, "\"" + field + "\" is not a string");
    }
    return node.stringValue();
  }

  /** Whether all the fields are there and not null. */
  static boolean has(JsonNode r, String... fields) {
    for (String field : fields) {
      if (!r.hasNonNull(field)) {
        return false;
      }
    }
    return true;
  }

  private static InvalidInputException unknown(JsonNode r, String origin) {
    String fields =
        r.properties().stream().map(Map.Entry::getKey).limit(12).collect(Collectors.joining(", "));
    return new InvalidInputException(
        origin,
        "a record with the fields (" + fields + ") is of no known kind; known are: " + KNOWN);
  }
}
