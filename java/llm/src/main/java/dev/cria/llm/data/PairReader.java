package dev.cria.llm.data;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.chat.Message;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * Reads preference pairs in their published forms. Pairs that share no prompt, or have an empty
 * answer, are counted out.
 */
final class PairReader {
  private final DataSet.Collector out;

  PairReader(DataSet.Collector out) {
    this.out = out;
  }

  void read(JsonNode r, String origin) {
    if (RecordReader.has(r, "response_j", "response_k")) {
      add(
          origin,
          List.of(Message.user(RecordReader.text(r, "question", origin))),
          RecordReader.text(r, "response_j", origin),
          RecordReader.text(r, "response_k", origin),
          false);
    } else if (RecordReader.has(r, "chosen_messages", "rejected_messages")) {
      dialogues(
          origin, messages(r, "chosen_messages", origin), messages(r, "rejected_messages", origin));
    } else if (r.get("chosen").isString() && r.get("rejected").isString()) {
      strings(r, origin);
    } else if (r.get("chosen").isArray() && r.get("rejected").isArray()) {
      lists(r, origin);
    } else if (r.get("chosen").isObject() && r.get("rejected").isObject()) {
      add(
          origin,
          prompt(r, origin),
          Dialogues.message(r.get("chosen"), "chosen", origin).content(),
          Dialogues.message(r.get("rejected"), "rejected", origin).content(),
          false);
    } else {
      throw new InvalidInputException(
          origin, "\"chosen\" and \"rejected\" are neither both texts nor both messages");
    }
  }

  private void strings(JsonNode r, String origin) {
    String chosen = RecordReader.text(r, "chosen", origin);
    String rejected = RecordReader.text(r, "rejected", origin);
    if (r.path("prompt").isString()) {
      add(origin, List.of(Message.user(r.get("prompt").stringValue())), chosen, rejected, true);
      return;
    }
    if (RecordReader.has(r, "conversations")
        || RecordReader.has(r, "messages")
        || r.path("prompt").isArray()) {
      add(origin, prompt(r, origin), chosen, rejected, false);
      return;
    }
    List<Message> first = Dialogues.humanAssistant(chosen);
    List<Message> second = Dialogues.humanAssistant(rejected);
    if (first.isEmpty() || second.isEmpty()) {
      throw new InvalidInputException(
          origin,
          "a pair without a prompt: neither a field \"prompt\" nor turns marked \"\\n\\nHuman:\" and \"\\n\\nAssistant:\"");
    }
    dialogues(origin, first, second);
  }

  private void lists(JsonNode r, String origin) {
    List<Message> chosen = messages(r, "chosen", origin);
    List<Message> rejected = messages(r, "rejected", origin);
    boolean apart = RecordReader.has(r, "prompt") && chosen.size() == 1 && rejected.size() == 1;
    if (!apart) {
      dialogues(origin, chosen, rejected);
      return;
    }
    List<Message> prompt =
        r.get("prompt").isString()
            ? List.of(Message.user(r.get("prompt").stringValue()))
            : messages(r, "prompt", origin);
    add(origin, prompt, chosen.getFirst().content(), rejected.getFirst().content(), false);
  }

  private static List<Message> prompt(JsonNode r, String origin) {
    for (String field : List.of("conversations", "messages", "prompt")) {
      if (r.path(field).isArray()) {
        return messages(r, field, origin);
      }
    }
    return List.of(Message.user(RecordReader.text(r, "prompt", origin)));
  }

  private static List<Message> messages(JsonNode r, String field, String origin) {
    return Dialogues.read(r.get(field), field, origin).messages();
  }

  /** Whole dialogues: all turns but the last must be the same. */
  private void dialogues(String origin, List<Message> chosen, List<Message> rejected) {
    List<Message> prompt = chosen.subList(0, chosen.size() - 1);
    if (prompt.isEmpty() || !prompt.equals(rejected.subList(0, rejected.size() - 1))) {
      out.drop("the dialogues differ before the last turn");
    } else if (!chosen.getLast().isAssistant() || !rejected.getLast().isAssistant()) {
      out.drop("the last turn is not the assistant's");
    } else {
      add(origin, prompt, chosen.getLast().content(), rejected.getLast().content(), false);
    }
  }

  private void add(
      String origin, List<Message> prompt, String chosen, String rejected, boolean plain) {
    if (chosen.isBlank() || rejected.isBlank()) {
      out.drop("an answer is empty");
    } else {
      out.add(new Example.PairExample(origin, prompt, chosen, rejected, plain));
    }
  }
}
