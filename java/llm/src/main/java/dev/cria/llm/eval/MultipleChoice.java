package dev.cria.llm.eval;

import dev.cria.llm.ForwardContext;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.ScoredBatch;
import dev.cria.llm.data.Example.ChoiceExample;
import dev.cria.llm.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Answers a question by the log-likelihood of each option after the question: summed over its
 * tokens, and divided by its bytes.
 */
public final class MultipleChoice {
  private MultipleChoice() {}

  /**
   * One answered question.
   *
   * @param logLikelihoods of the options, in nats
   * @param bytes lengths of the options in UTF-8
   * @param label index of the right option
   */
  public record Answer(double[] logLikelihoods, int[] bytes, int label) {
    /** The option with the largest summed log-likelihood, the first of equals. */
    public int bySum() {
      int best = 0;
      for (int i = 1; i < logLikelihoods.length; i++) {
        best = logLikelihoods[i] > logLikelihoods[best] ? i : best;
      }
      return best;
    }

    /** The option with the largest log-likelihood per byte, the first of equals. */
    public int byBytes() {
      int best = 0;
      for (int i = 1; i < logLikelihoods.length; i++) {
        best = perByte(i) > perByte(best) ? i : best;
      }
      return best;
    }

    private double perByte(int i) {
      return logLikelihoods[i] / Math.max(1, bytes[i]);
    }
  }

  /**
   * Scores the options of a question, each put after it with one space between. The tokens of the
   * question are those it has on its own; a question too long for the context loses its beginning.
   */
  public static Answer answer(
      Llama model, Tokenizer tokenizer, ChoiceExample question, ForwardContext context) {
    int[] prompt = withBos(tokenizer, question.context());
    if (prompt.length == 0) {
      throw new InvalidInputException(
          question.origin(), "the question is empty and the tokenizer adds no BOS");
    }
    int count = question.endings().size();
    int[][] options = new int[count][];
    int[] bytes = new int[count];
    int longest = 0;
    for (int i = 0; i < count; i++) {
      String ending = question.endings().get(i);
      int[] whole = withBos(tokenizer, question.context() + " " + ending);
      options[i] = Arrays.copyOfRange(whole, Math.min(prompt.length, whole.length), whole.length);
      bytes[i] = ending.getBytes(StandardCharsets.UTF_8).length;
      longest = Math.max(longest, options[i].length);
    }
    int room = model.config().context() - longest;
    if (room < 1) {
      throw new InvalidInputException(
          question.origin(),
          "an option has "
              + longest
              + " tokens, the context of the model is "
              + model.config().context());
    }
    if (prompt.length > room) {
      prompt = Arrays.copyOfRange(prompt, prompt.length - room, prompt.length);
    }
    ScoredBatch batch = new ScoredBatch.Builder().answers(prompt, options).build();
    return new Answer(TokenScorer.segmentSums(model, batch, context), bytes, question.label());
  }

  private static int[] withBos(Tokenizer tokenizer, String text) {
    int[] ids = tokenizer.encode(text, false);
    if (!tokenizer.addsBos() || tokenizer.bosId().isEmpty()) {
      return ids;
    }
    int[] longer = new int[ids.length + 1];
    longer[0] = tokenizer.bosId().getAsInt();
    System.arraycopy(ids, 0, longer, 1, ids.length);
    return longer;
  }
}
