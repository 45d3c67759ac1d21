package dev.cria.cli;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Sequences;
import dev.cria.autograd.Tape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Causal attention with the heads of OpenLLaMA-3B. */
@Command(
    name = "attention",
    sortOptions = false,
    customSynopsis = "cria bench attention [OPTIONS]",
    description = {
      "Measure causal attention over one sequence, forward and backward.",
      "Only pairs that see each other count as work, and backward as 2.5 times forward. Memory is",
      "the most that was live, scratch included."
    },
    footer = {"", "Example: cria bench attention --tokens 2048 --heads 32 --head-width 100"})
final class BenchAttentionCommand extends BenchRun {
  @Option(
      names = "--tokens",
      order = 1,
      split = ",",
      paramLabel = "N",
      defaultValue = "1024,2048,4096,8192",
      description = "Lengths of the sequence (${DEFAULT-VALUE}).")
  private int[] tokens = {};

  @Option(
      names = "--heads",
      order = 2,
      paramLabel = "N",
      defaultValue = "32",
      description = "Heads (${DEFAULT-VALUE}).")
  private int heads;

  @Option(
      names = "--head-width",
      order = 3,
      paramLabel = "N",
      defaultValue = "100",
      description = "Width of a head, 1 to 128 (${DEFAULT-VALUE}).")
  private int width;

  private final List<Map<String, Object>> rows = new ArrayList<>();

  @Override
  protected void check() {
    super.check();
    for (int t : tokens) {
      if (t < 1 || t > 1 << 17) {
        throw usage("--tokens must be 1..131072: " + t);
      }
    }
    if (heads < 1 || heads > 1024) {
      throw usage("--heads must be 1..1024: " + heads);
    }
    if (width < 1 || width > 128) {
      throw usage("--head-width must be 1..128: " + width);
    }
  }

  @Override
  protected void measure(Device device) {
    say("%6s   %-36s %-36s %s", "tokens", "forward, GFLOP/s", "backward, GFLOP/s", "memory");
    for (int t : tokens) {
      try (Scope memory = Scope.open()) {
        device.resetPeak();
        Tensor[] inputs = new Tensor[4];
        for (int i = 0; i < inputs.length; i++) {
          inputs[i] = Tensor.randn(device, i, 0, 1, DType.F32, t, (long) heads * width);
        }
        Sequences one = Sequences.of(t);
        List<Measured> seconds =
            nativeSeconds(device, () -> run(inputs, one), "cria_attention", "cria_attention_bwd");
        double flops = 4.0 * width * heads * t * (t + 1.0) / 2;
        Measured forward = seconds.get(0).map(s -> flops / s);
        Measured backward = seconds.get(1).map(s -> 2.5 * flops / s);
        long bytes = device.peakBytes() + device.scratchBytes();
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("tokens", t);
        row.put("heads", heads);
        row.put("head_width", width);
        rate(row, "forward", "flops", forward, peak.bf16FlopsPerSecond());
        rate(row, "backward", "flops", backward, peak.bf16FlopsPerSecond());
        row.put("peak_bytes", bytes);
        rows.add(row);
        say(
            "%6d   %s   %s   %s",
            t,
            shown(forward, peak.bf16FlopsPerSecond()),
            shown(backward, peak.bf16FlopsPerSecond()),
            Sizes.show(bytes));
      }
    }
    fact("sequences", rows);
  }

  private void run(Tensor[] inputs, Sequences one) {
    try (Scope step = Scope.open();
        Tape tape = Tape.record()) {
      for (int i = 0; i < 3; i++) {
        tape.watch(inputs[i]);
      }
      float scale = (float) (1 / Math.sqrt(width));
      Tensor y =
          Ops.attention(inputs[0], inputs[1], inputs[2], heads, heads, one, scale, DType.BF16);
      tape.backward(y, inputs[3]);
    }
  }
}
