package dev.cria.bench;

import dev.cria.Tensor;
import dev.cria.autograd.DpoKind;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Tape;
import java.util.Arrays;
import java.util.function.Supplier;
import org.openjdk.jmh.annotations.Param;

/** Preference losses of pairs, forward and backward. Few numbers: what a call costs. */
public class PairLossBenchmark extends OperationBenchmark {
  /** A loss. */
  public enum Kind {
    DPO,
    IPO,
    HINGE,
    REWARD
  }

  @Param public Kind kind = Kind.DPO;

  @Param({"8", "4096"})
  public int pairs;

  @Override
  protected Operation prepare() {
    Tensor a = numbers(pairs);
    Tensor b = numbers(pairs);
    Tensor c = numbers(pairs);
    Tensor d = numbers(pairs);
    Tensor ones = Tensor.full(device(), 1, pairs);
    int[] lengths = new int[pairs];
    Arrays.fill(lengths, 128);
    if (kind == Kind.REWARD) {
      return trained(16, a, b, ones, () -> Ops.rewardPairLoss(a, b, null, 0.01f));
    }
    DpoKind dpo =
        switch (kind) {
          case IPO -> DpoKind.IPO;
          case HINGE -> DpoKind.HINGE;
          default -> DpoKind.SIGMOID;
        };
    return trained(28, a, b, ones, () -> Ops.dpoLoss(a, b, c, d, lengths, lengths, dpo, 0.1f, 0));
  }

  private Operation trained(
      double bytes, Tensor chosen, Tensor rejected, Tensor ones, Supplier<Tensor> loss) {
    return Operation.of(
        Work.bytes(bytes * pairs),
        () -> {
          try (Tape tape = Tape.record()) {
            tape.watch(chosen);
            tape.watch(rejected);
            tape.backward(loss.get(), ones);
          }
        });
  }
}
