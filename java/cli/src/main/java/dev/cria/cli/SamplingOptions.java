package dev.cria.cli;

import dev.cria.llm.generate.GenerateOptions;
import dev.cria.nn.Sampling;
import java.util.Set;
import picocli.CommandLine.Option;

/** How the next token is drawn. */
final class SamplingOptions {
  @Option(
      names = "--max-tokens",
      paramLabel = "N",
      defaultValue = "256",
      description = "Most new tokens (${DEFAULT-VALUE}).")
  int maxTokens;

  @Option(names = "--greedy", description = "Always take the most likely token.")
  boolean greedy;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      defaultValue = "0.8",
      description =
          "Flattens (above 1) or sharpens (below 1) the distribution; 0 is greedy (${DEFAULT-VALUE}).")
  float temperature;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      defaultValue = "0",
      description = "Draw among the K most likely tokens; 0: all (${DEFAULT-VALUE}).")
  int topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      defaultValue = "0.95",
      description =
          "Draw among the most likely tokens that together have probability P (${DEFAULT-VALUE}).")
  float topP;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "0",
      description = "Seed of the draws; the same seed gives the same text (${DEFAULT-VALUE}).")
  long seed;

  void check(CriaCommand command) {
    if (maxTokens < 0) {
      throw command.usage("--max-tokens cannot be " + maxTokens);
    }
    if (!(temperature >= 0) || Float.isInfinite(temperature)) {
      throw command.usage("--temperature cannot be " + temperature + "; 0 or more expected");
    }
    if (topK < 0) {
      throw command.usage("--top-k cannot be " + topK + "; 0 or more expected");
    }
    if (!(topP > 0 && topP <= 1)) {
      throw command.usage(
          "--top-p cannot be " + topP + "; a number above 0 and at most 1 expected");
    }
  }

  GenerateOptions options(Set<Integer> stop) {
    Sampling sampling = greedy ? Sampling.greedy() : new Sampling(temperature, topK, topP);
    return GenerateOptions.sampled(maxTokens, sampling, seed).stopAt(stop);
  }
}
