package dev.cria.llm.data;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.chat.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/** Reads dialogues in the forms they are published in. */
final class Dialogues {
  private static final Pattern TURN = Pattern.compile("\n\n(Human|Assistant): ?");

  private Dialogues() {}

  /** Messages with the loss weight of each. */
  record Weighted(List<Message> messages, List<Float> weights) {}

  /**
   * A list of messages: {@code role}/{@code content} or {@code from}/{@code value}, with {@code
   * loss_weight} or not.
   */
  static Weighted read(JsonNode list, String field, String origin) {
    if (!list.isArray() || list.isEmpty()) {
      throw new InvalidInputException(origin, "\"" + field + "\" is not a list of messages");
    }
    List<Message> messages = new ArrayList<>();
    List<Float> weights = new ArrayList<>();
    for (JsonNode node : list) {
      Message message = message(node, field, origin);
      messages.add(message);
      JsonNode weight = node.path("loss_weight");
      if (!weight.isMissingNode()
          && !(weight.isNumber()
              && weight.floatValue() >= 0
              && Float.isFinite(weight.floatValue()))) {
        throw new InvalidInputException(
            origin, "loss_weight is " + weight + ", a number from 0 expected");
      }
      weights.add(weight.isNumber() ? weight.floatValue() : message.isAssistant() ? 1f : 0f);
    }
    return new Weighted(messages, weights);
  }

  /** One message. */
  static Message message(JsonNode node, String field, String origin) {
    JsonNode role = node.path(node.has("role") ? "role" : "from");
    JsonNode content = node.path(node.has("content") ? "content" : "value");
    if (!role.isString() || content.isMissingNode()) {
      throw new InvalidInputException(
          origin, "a message in \"" + field + "\" has neither role and content nor from and value");
    }
    return new Message(role(role.stringValue()), content(content, field, origin));
  }

  private static String role(String name) {
    return switch (name) {
      case "human", "user", "prompter" -> Message.USER;
      case "gpt", "assistant", "chatgpt", "bot", "model" -> Message.ASSISTANT;
      default -> name;
    };
  }

  /** A string, or a list of parts of type text. */
  private static String content(JsonNode content, String field, String origin) {
    if (content.isString()) {
      return content.stringValue();
    }
    StringBuilder text = new StringBuilder();
    for (JsonNode part : content) {
      JsonNode value = part.path(part.has("text") ? "text" : "value");
      if (!part.path("type").asString("").equals("text") || !value.isString()) {
        throw new InvalidInputException(
            origin, "a message in \"" + field + "\" has a part that is not text: " + part);
      }
      text.append(value.stringValue());
    }
    if (!content.isArray()) {
      throw new InvalidInputException(
          origin, "a message in \"" + field + "\" has content that is not text");
    }
    return text.toString();
  }

  /**
   * Turns of a text in which each begins with {@code \n\nHuman:} or {@code \n\nAssistant:}; empty
   * if there is none.
   */
  static List<Message> humanAssistant(String text) {
    List<Message> messages = new ArrayList<>();
    Matcher matcher = TURN.matcher(text);
    String role = "";
    int from = -1;
    while (matcher.find()) {
      if (from >= 0) {
        messages.add(new Message(role, text.substring(from, matcher.start()).strip()));
      }
      role = matcher.group(1).equals("Human") ? Message.USER : Message.ASSISTANT;
      from = matcher.end();
    }
    if (from >= 0) {
      messages.add(new Message(role, text.substring(from).strip()));
    }
    return messages;
  }
}
