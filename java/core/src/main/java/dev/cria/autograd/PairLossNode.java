package dev.cria.autograd;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Tensor;
import dev.cria.internal.Losses;
import org.jspecify.annotations.Nullable;

/** Losses of preference pairs [n]: the forward pass gives the derivatives as well. */
record PairLossNode(Tensor gradChosen, Tensor gradRejected) implements Node {
  static Tensor dpo(
      Tensor chosen,
      Tensor rejected,
      Tensor refChosen,
      Tensor refRejected,
      int[] chosenLengths,
      int[] rejectedLengths,
      DpoKind kind,
      float beta,
      float labelSmoothing) {
    long n = chosen.size();
    vector("dpoLoss", "chosen", chosen, n);
    vector("dpoLoss", "rejected", rejected, n);
    vector("dpoLoss", "reference chosen", refChosen, n);
    vector("dpoLoss", "reference rejected", refRejected, n);
    if (chosenLengths.length != n || rejectedLengths.length != n) {
      throw new CriaException(
          "dpoLoss: "
              + chosenLengths.length
              + " and "
              + rejectedLengths.length
              + " lengths for "
              + n
              + " pairs");
    }
    if (!(beta > 0)) {
      throw new CriaException("dpoLoss: beta is " + beta + ", a positive number expected");
    }
    if (!(labelSmoothing >= 0 && labelSmoothing < 0.5f)
        || (labelSmoothing > 0 && kind != DpoKind.SIGMOID)) {
      throw new CriaException(
          "dpoLoss: label smoothing is "
              + labelSmoothing
              + " for "
              + kind
              + "; [0, 0.5), and only the sigmoid loss has it");
    }
    Device device = chosen.device();
    Tensor loss = Tensor.empty(device, DType.F32, n);
    Tensor gc = Tensor.empty(device, DType.F32, n);
    Tensor gr = Tensor.empty(device, DType.F32, n);
    Losses.dpoLoss(
        device.queue(),
        n,
        kind.ordinal(),
        beta,
        labelSmoothing,
        chosen.address(),
        rejected.address(),
        refChosen.address(),
        refRejected.address(),
        Tensor.ofInts(device, chosenLengths, n).address(),
        Tensor.ofInts(device, rejectedLengths, n).address(),
        loss.address(),
        gc.address(),
        gr.address());
    record(chosen, rejected, loss, gc, gr);
    return loss;
  }

  static Tensor reward(Tensor chosen, Tensor rejected, @Nullable Tensor margin, float center) {
    long n = chosen.size();
    vector("rewardPairLoss", "chosen", chosen, n);
    vector("rewardPairLoss", "rejected", rejected, n);
    if (margin != null) {
      vector("rewardPairLoss", "margin", margin, n);
    }
    Device device = chosen.device();
    Tensor loss = Tensor.empty(device, DType.F32, n);
    Tensor gc = Tensor.empty(device, DType.F32, n);
    Tensor gr = Tensor.empty(device, DType.F32, n);
    Losses.rewardPairLoss(
        device.queue(),
        n,
        center,
        chosen.address(),
        rejected.address(),
        Tensor.address(margin),
        loss.address(),
        gc.address(),
        gr.address());
    record(chosen, rejected, loss, gc, gr);
    return loss;
  }

  private static void vector(String operation, String what, Tensor tensor, long n) {
    Check.shape(operation, what, tensor, DType.F32, n);
  }

  private static void record(
      Tensor chosen, Tensor rejected, Tensor loss, Tensor gradChosen, Tensor gradRejected) {
    Tape tape = Tape.tracking(chosen, rejected);
    if (tape != null) {
      tape.append(
          new PairLossNode(gradChosen, gradRejected),
          loss,
          new @Nullable Tensor[] {chosen, rejected},
          gradChosen,
          gradRejected);
    }
  }

  @Override
  public void backward(Gradients g) {
    if (g.wanted(0)) {
      g.give(0, Ops.mul(g.output(), gradChosen));
    }
    if (g.wanted(1)) {
      g.give(1, Ops.mul(g.output(), gradRejected));
    }
  }
}
