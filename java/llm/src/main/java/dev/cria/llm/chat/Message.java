package dev.cria.llm.chat;

/**
 * One turn of a dialogue.
 *
 * @param role {@code system}, {@code user}, {@code assistant} or another role that the template
 *     knows
 * @param content the text of the turn
 */
public record Message(String role, String content) {
  /** Role of instructions that stand before the dialogue. */
  public static final String SYSTEM = "system";

  /** Role of the person. */
  public static final String USER = "user";

  /** Role of the model. */
  public static final String ASSISTANT = "assistant";

  /** A turn of the person. */
  public static Message user(String content) {
    return new Message(USER, content);
  }

  /** A turn of the model. */
  public static Message assistant(String content) {
    return new Message(ASSISTANT, content);
  }

  /** Whether the model speaks. */
  public boolean isAssistant() {
    return role.equals(ASSISTANT);
  }
}
