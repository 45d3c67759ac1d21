package dev.cria.llm.data;

import dev.cria.llm.chat.Message;
import java.util.List;

/** One record of a data set, in the kind that its fields say. */
public sealed interface Example {
  /** Where the record was read, as {@code file:line}, for errors. */
  String origin();

  /** Plain text to learn as a whole. */
  record TextExample(String origin, String text) implements Example {}

  /**
   * A text to continue and its continuation; only the continuation is learned, and no template is
   * put around them.
   */
  record PromptCompletion(String origin, String prompt, String completion) implements Example {}

  /**
   * A task and its answer; the template decides how they are put to the model.
   *
   * @param input what the task is about, may be empty
   */
  record InstructionExample(String origin, String instruction, String input, String output)
      implements Example {}

  /**
   * A dialogue.
   *
   * @param weights loss weight of each message; 0 where it is not learned. Same length as {@code
   *     messages}
   */
  record ChatExample(String origin, List<Message> messages, List<Float> weights)
      implements Example {
    /** Copies the lists and checks their lengths. */
    public ChatExample {
      messages = List.copyOf(messages);
      weights = List.copyOf(weights);
      if (messages.size() != weights.size()) {
        throw new IllegalArgumentException(
            messages.size() + " messages but " + weights.size() + " weights");
      }
    }

    /** A dialogue in which every assistant turn is learned with weight 1. */
    public static ChatExample of(String origin, List<Message> messages) {
      return new ChatExample(
          origin, messages, messages.stream().map(m -> m.isAssistant() ? 1f : 0f).toList());
    }
  }

  /**
   * Two answers to one prompt, the first preferred.
   *
   * @param prompt the dialogue so far, ending with the turn that is answered
   * @param plain whether the prompt is one plain text (then {@code prompt} has a single message) to
   *     which no template is applied
   */
  record PairExample(
      String origin, List<Message> prompt, String chosen, String rejected, boolean plain)
      implements Example {
    /** Copies the prompt. */
    public PairExample {
      prompt = List.copyOf(prompt);
    }
  }

  /**
   * A question with options, one of them right.
   *
   * @param context text before the options
   * @param endings the options, each to be put after the context and one space
   * @param label index of the right one
   */
  record ChoiceExample(String origin, String context, List<String> endings, int label)
      implements Example {
    /** Copies the options and checks the label. */
    public ChoiceExample {
      endings = List.copyOf(endings);
      if (label < 0 || label >= endings.size()) {
        throw new IllegalArgumentException(
            "label " + label + " but " + endings.size() + " endings");
      }
    }
  }
}
