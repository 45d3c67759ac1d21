package dev.cria.bench;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Tape;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import java.util.Objects;
import org.openjdk.jmh.annotations.Param;

/** The output layer fused with what is made of its logits; the bf16 head is frozen. */
public class HeadLossBenchmark extends OperationBenchmark {
  /** What is made of the logits. */
  public enum Kind {
    /** Loss and gradient: forward and backward, which the operation computes in one pass. */
    CROSS_ENTROPY,
    /** The losses of the rows, without gradient. */
    CROSS_ENTROPY_ROWS,
    /** Log-probabilities of the labels, without gradient. */
    LOG_PROB,
    /** Log-probabilities and their gradient, forward and backward. */
    LOG_PROB_TRAINED,
    /** Log-probabilities and entropies, without gradient. */
    ENTROPY,
    /**
     * The gradient of the entropies, forward and backward. The logits are made twice, counted once.
     */
    ENTROPY_TRAINED
  }

  @Param public Kind kind = Kind.CROSS_ENTROPY;

  @Param({"64", "512", "2048"})
  public int tokens;

  @Override
  protected Operation prepare() {
    int c = model.width;
    int v = model.vocabulary;
    Tensor h = numbers(tokens, c);
    Tensor labels = indices(tokens, v);
    Tensor ones = Tensor.full(device(), 1, tokens);
    Weight.Dense head = new Weight.Dense(new Parameter("head", numbers(DType.BF16, 0.02f, v, c)));
    double product = 2.0 * tokens * c * v;
    double read = 2.0 * v * c + 4.0 * tokens * c;
    Work forward = Work.bf16(product, read);
    Work both = Work.bf16(2 * product, 2 * read);
    return switch (kind) {
      case CROSS_ENTROPY ->
          Operation.of(
              both,
              () -> {
                try (Tape tape = Tape.record()) {
                  tape.watch(h);
                  tape.backward(Ops.linearCrossEntropy(h, head, labels, null, 1));
                }
              });
      case CROSS_ENTROPY_ROWS -> Operation.of(forward, () -> Ops.crossEntropyRows(h, head, labels));
      case LOG_PROB -> Operation.of(forward, () -> Ops.linearLogProb(h, head, labels, false));
      case LOG_PROB_TRAINED ->
          Operation.of(
              both,
              () -> {
                try (Tape tape = Tape.record()) {
                  tape.watch(h);
                  tape.backward(Ops.linearLogProb(h, head, labels, false).logp(), ones);
                }
              });
      case ENTROPY -> Operation.of(forward, () -> Ops.linearLogProb(h, head, labels, true));
      case ENTROPY_TRAINED ->
          Operation.of(
              both,
              () -> {
                try (Tape tape = Tape.record()) {
                  tape.watch(h);
                  Tensor entropy = Ops.linearLogProb(h, head, labels, true).entropy();
                  tape.backward(Objects.requireNonNull(entropy), ones);
                }
              });
    };
  }
}
