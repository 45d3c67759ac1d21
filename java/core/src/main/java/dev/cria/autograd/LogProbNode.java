package dev.cria.autograd;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.internal.Indexing;
import dev.cria.internal.Losses;
import dev.cria.nn.Weight;
import org.jspecify.annotations.Nullable;

/**
 * Log-probability (and entropy) of the label of each row. With a frozen head the forward pass keeps
 * d logp / d h, and the backward step is a scaling of rows; a trained head or a gradient of the
 * entropy makes the logits once more.
 */
record LogProbNode(Tensor h, Tensor w, Tensor labels, @Nullable Tensor unitGradient)
    implements Node {
  static TokenScores forward(Tensor h, Weight.Dense head, Tensor labels, boolean entropy) {
    Tensor w = head.parameter().value();
    CrossEntropyNode.checkHead("linearLogProb", h, w, labels);
    long t = h.dim(0);
    Tape tape = Tape.tracking(h, w);
    boolean frozen = tape != null && !tape.needsGradient(w);
    Tensor logp = Tensor.empty(h.device(), DType.F32, t);
    Tensor ent = entropy ? Tensor.empty(h.device(), DType.F32, t) : null;
    Tensor unit = frozen ? Tensor.empty(h.device(), DType.F32, h.shape()) : null;
    Losses.linearLogprob(
        h.device().queue(),
        t,
        h.dim(1),
        w.dim(0),
        w.dtype().code(),
        w.address(),
        h.address(),
        labels.address(),
        logp.address(),
        Tensor.address(ent),
        Tensor.address(unit));
    if (tape != null) {
      Tensor[] outputs = ent == null ? new Tensor[] {logp} : new Tensor[] {logp, ent};
      @Nullable Tensor[] inputs = {h, w};
      LogProbNode node = new LogProbNode(h, w, labels, unit);
      if (unit == null) {
        tape.append(node, outputs, inputs, h, w, labels);
      } else if (ent == null) {
        tape.append(node, outputs, inputs, unit);
      } else {
        tape.append(node, outputs, inputs, h, w, labels, unit);
      }
    }
    return new TokenScores(logp, ent);
  }

  @Override
  public void backward(Gradients g) {
    Tensor dlogp = g.output(0);
    Tensor dentropy = g.outputs() > 1 ? g.output(1) : null;
    if (unitGradient != null && dentropy == null) {
      if (dlogp != null && g.wanted(0)) {
        Tensor dh = Tensor.empty(dlogp.device(), DType.F32, unitGradient.shape());
        Indexing.scaleRows(
            dlogp.device().queue(),
            unitGradient.dim(0),
            unitGradient.dim(1),
            dlogp.address(),
            unitGradient.address(),
            dh.address());
        g.give(0, dh);
      }
      return;
    }
    Tensor dh = g.wanted(0) ? Tensor.empty(h.device(), DType.F32, h.shape()) : null;
    Losses.linearLogprobBwd(
        h.device().queue(),
        h.dim(0),
        h.dim(1),
        w.dim(0),
        w.dtype().code(),
        w.address(),
        h.address(),
        labels.address(),
        Tensor.address(dlogp),
        Tensor.address(dentropy),
        Tensor.address(dh),
        Tensor.address(g.sumIfWanted(1)));
    if (dh != null) {
      g.give(0, dh);
    }
  }
}
