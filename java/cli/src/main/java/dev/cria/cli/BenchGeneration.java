package dev.cria.cli;

import dev.cria.Device;
import dev.cria.Profile;
import dev.cria.llm.Llama;
import dev.cria.llm.generate.GenerateOptions;
import dev.cria.llm.generate.Generator;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Reading a prompt and continuing it. */
abstract class BenchGeneration extends BenchRun {
  @Mixin private BenchModel model = new BenchModel();

  @Option(
      names = "--prompt",
      order = 4,
      paramLabel = "N",
      defaultValue = "512",
      description = "Tokens of the prompt (${DEFAULT-VALUE}).")
  protected int prompt;

  /** Tokens to generate after the prompt. */
  protected abstract int generated();

  /** Reports what was measured: the runs in order. */
  protected abstract void report(Llama opened, double[] promptSeconds, double[] seconds);

  @Override
  protected void check() {
    super.check();
    model.check(this);
    if (prompt < 1 || prompt > 1 << 17) {
      throw usage("--prompt must be 1..131072: " + prompt);
    }
  }

  @Override
  protected void measure(Device device) throws IOException {
    try (Progress progress = progress();
        Phases phases = new Phases();
        Llama opened = model.open(device, progress)) {
      int vocab = opened.config().vocab();
      double[] promptSeconds = new double[repeats];
      double[] seconds = new double[repeats];
      List<List<Profile.Entry>> prompts = new ArrayList<>();
      List<List<Profile.Entry>> continuations = new ArrayList<>();
      for (int r = -1; r < repeats; r++) {
        // Another prompt each time: a generator does not read again what it has just read.
        int[] tokens = new Random(r).ints(prompt, 3, vocab).toArray();
        try (Generator generator = new Generator(opened)) {
          List<Profile.Entry> read = new ArrayList<>();
          Profile.reset();
          Generator.Result result =
              generator.generate(
                  tokens,
                  GenerateOptions.greedy(generated()),
                  token -> {
                    if (read.isEmpty()) {
                      read.addAll(Profile.entries());
                      Profile.reset();
                    }
                  });
          if (r >= 0) {
            prompts.add(read);
            continuations.add(Profile.entries());
            promptSeconds[r] = result.promptSeconds();
            seconds[r] = result.seconds();
          }
        }
      }
      fact("model_parameters", opened.config().parameters());
      fact("model_bytes", opened.byteSize());
      fact("prompt_tokens", prompt);
      fact("peak_resident_bytes", phases.peak());
      report(opened, promptSeconds, seconds);
      say("  peak memory %s", Sizes.show(phases.peak()));
      if (generated() == 1) {
        calls("prompt", prompts, promptSeconds);
      } else {
        calls("continuation", continuations, seconds);
      }
    }
  }
}
