package dev.cria.cli;

import dev.cria.llm.Llama;
import picocli.CommandLine.Command;

/** Reading a prompt. */
@Command(
    name = "prompt",
    sortOptions = false,
    customSynopsis = "cria bench prompt [OPTIONS]",
    description = {"Measure how fast a prompt is read into the key/value cache."},
    footer = {"", "Example: cria bench prompt --prompt 512"})
final class BenchPromptCommand extends BenchGeneration {
  @Override
  protected int generated() {
    return 1;
  }

  @Override
  protected void report(Llama opened, double[] promptSeconds, double[] seconds) {
    Measured time = Measured.of(promptSeconds);
    Measured rate = time.map(s -> prompt / s);
    fact("seconds", time);
    fact("tokens_per_second", rate);
    say("prompt of %d tokens: %s s, %s tokens/s", prompt, time.show(3), rate.show(1));
  }
}
