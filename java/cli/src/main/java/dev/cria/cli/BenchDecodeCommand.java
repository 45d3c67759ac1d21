package dev.cria.cli;

import dev.cria.llm.Llama;
import dev.cria.llm.LlamaConfig;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Generating after a prompt. */
@Command(
    name = "decode",
    sortOptions = false,
    customSynopsis = "cria bench decode [OPTIONS]",
    description = {
      "Measure how fast tokens are generated after a prompt.",
      "With the share of the bandwidth of memory: a token reads the weights, the head, and the",
      "keys and values so far."
    },
    footer = {"", "Example: cria bench decode --prompt 512 --tokens 128"})
final class BenchDecodeCommand extends BenchGeneration {
  @Option(
      names = "--tokens",
      order = 5,
      paramLabel = "N",
      defaultValue = "128",
      description = "Tokens to generate (${DEFAULT-VALUE}).")
  private int tokens;

  @Override
  protected void check() {
    super.check();
    if (tokens < 2 || tokens > 1 << 16) {
      throw usage("--tokens must be 2..65536: " + tokens);
    }
  }

  @Override
  protected int generated() {
    return tokens;
  }

  @Override
  protected void report(Llama opened, double[] promptSeconds, double[] seconds) {
    LlamaConfig c = opened.config();
    // Of the embedding one row is read, unless it is also the head.
    long table = c.tied() ? 0 : opened.head().byteSize();
    double cache = 2.0 * 2 * c.layers() * c.kvDim() * (prompt + tokens / 2.0);
    double bytes = opened.byteSize() - table + cache;
    Measured time = Measured.of(seconds);
    // The first token comes out of the prompt.
    int steps = tokens - 1;
    Measured rate = time.map(s -> steps / s);
    Measured bandwidth = rate.map(r -> r * bytes);
    fact("generated_tokens", tokens);
    fact("tokens_per_second", rate);
    fact("bytes_per_token", bytes);
    rate("read", "bytes", bandwidth, peak.bytesPerSecond());
    say("%d tokens after a prompt of %d: %s tokens/s", tokens, prompt, rate.show(2));
    say("  reading, GB/s and share of the bandwidth: %s", shown(bandwidth, peak.bytesPerSecond()));
  }
}
