package dev.cria.llm.eval;

import dev.cria.llm.ForwardContext;
import dev.cria.llm.Llama;
import dev.cria.llm.ScoredBatch;
import dev.cria.llm.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * How well a model predicts texts. Each token but the first of a piece is predicted once, from all
 * before it; a piece longer than the context goes in windows that overlap by one token.
 */
public final class Perplexity {
  private Perplexity() {}

  /**
   * What one text, or several together, gave.
   *
   * @param nll sum of negative log-likelihoods, in nats
   * @param predicted number of predicted tokens
   * @param bytes length of the text in UTF-8
   */
  public record Score(double nll, long predicted, long bytes) {
    /** Mean negative log-likelihood of a token, in nats; 0 where nothing was predicted. */
    public double meanNll() {
      return predicted == 0 ? 0 : nll / predicted;
    }

    /** exp of the mean. */
    public double perplexity() {
      return Math.exp(meanNll());
    }

    /** All of the negative log-likelihood, in bits, for each byte of text. */
    public double bitsPerByte() {
      return bytes == 0 ? 0 : nll / Math.log(2) / bytes;
    }

    /** The two together. */
    public Score plus(Score other) {
      return new Score(nll + other.nll, predicted + other.predicted, bytes + other.bytes);
    }
  }

  /** Scores a text; BOS stands before it only where the tokenizer adds one. */
  public static Score text(Llama model, Tokenizer tokenizer, String text, ForwardContext context) {
    int[] ids = tokenizer.encode(text, false);
    if (tokenizer.addsBos() && tokenizer.bosId().isPresent()) {
      int[] longer = new int[ids.length + 1];
      longer[0] = tokenizer.bosId().getAsInt();
      System.arraycopy(ids, 0, longer, 1, ids.length);
      ids = longer;
    }
    Score score = ids(model, ids, context);
    return new Score(score.nll, score.predicted, text.getBytes(StandardCharsets.UTF_8).length);
  }

  /** Scores tokens; the bytes of the result are 0. */
  public static Score ids(Llama model, int[] ids, ForwardContext context) {
    int window = model.config().context();
    double nll = 0;
    // Each window begins with the last token of the one before, which it does not predict again.
    for (int start = 0; start == 0 || start + 1 < ids.length; start += window - 1) {
      int[] part = Arrays.copyOfRange(ids, start, Math.min(ids.length, start + window));
      ScoredBatch batch = new ScoredBatch.Builder().text(part).build();
      for (float logp : TokenScorer.logProbabilities(model, batch, context)) {
        nll -= logp;
      }
      if (window == 1) {
        break;
      }
    }
    return new Score(nll, Math.max(0, ids.length - 1), 0);
  }
}
