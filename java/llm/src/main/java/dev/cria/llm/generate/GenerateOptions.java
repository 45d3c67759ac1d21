package dev.cria.llm.generate;

import dev.cria.llm.InvalidInputException;
import dev.cria.nn.Sampling;
import java.util.Set;

/**
 * How a text is continued.
 *
 * @param maxTokens most new tokens
 * @param sampling how each is drawn
 * @param seed seed of the draws; the same seed gives the same text
 * @param stopTokens tokens that end the text
 * @param promptChunk most tokens of the prompt that go through the model at once
 */
public record GenerateOptions(
    int maxTokens, Sampling sampling, long seed, Set<Integer> stopTokens, int promptChunk) {

  // Enough rows to repay the decoding of quantised weights, few enough for little memory.
  private static final int PROMPT_CHUNK = 512;

  /** Checks the numbers. */
  public GenerateOptions {
    if (maxTokens < 0) {
      throw new InvalidInputException("generate", "maximum of tokens is " + maxTokens);
    }
    if (promptChunk < 1) {
      throw new InvalidInputException("generate", "prompt chunk is " + promptChunk);
    }
    stopTokens = Set.copyOf(stopTokens);
  }

  /** The most likely token each time. */
  public static GenerateOptions greedy(int maxTokens) {
    return new GenerateOptions(maxTokens, Sampling.greedy(), 0, Set.of(), PROMPT_CHUNK);
  }

  /** Random draws. */
  public static GenerateOptions sampled(int maxTokens, Sampling sampling, long seed) {
    return new GenerateOptions(maxTokens, sampling, seed, Set.of(), PROMPT_CHUNK);
  }

  /** The same with other stop tokens. */
  public GenerateOptions stopAt(Set<Integer> tokens) {
    return new GenerateOptions(maxTokens, sampling, seed, tokens, promptChunk);
  }
}
