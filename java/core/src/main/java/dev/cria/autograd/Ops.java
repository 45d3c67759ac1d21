package dev.cria.autograd;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Weight;
import org.jspecify.annotations.Nullable;

/**
 * The differentiable operations. Each returns a new f32 tensor in the present scope and is recorded
 * when a tape records and an input needs a gradient. Elementary operations take f32; tensors of
 * different shapes are aligned at the last axis, where an axis of length 1 repeats.
 */
public final class Ops {
  private Ops() {}

  // ---------------------------------------------------------------- element by element

  /** a + b. */
  public static Tensor add(Tensor a, Tensor b) {
    return BinaryNode.forward(BinaryNode.Function.ADD, a, b);
  }

  /** a - b. */
  public static Tensor sub(Tensor a, Tensor b) {
    return BinaryNode.forward(BinaryNode.Function.SUB, a, b);
  }

  /** a * b. */
  public static Tensor mul(Tensor a, Tensor b) {
    return BinaryNode.forward(BinaryNode.Function.MUL, a, b);
  }

  /** a / b. */
  public static Tensor div(Tensor a, Tensor b) {
    return BinaryNode.forward(BinaryNode.Function.DIV, a, b);
  }

  /** The larger of a and b; at a tie the gradient goes to b. */
  public static Tensor maximum(Tensor a, Tensor b) {
    return BinaryNode.forward(BinaryNode.Function.MAXIMUM, a, b);
  }

  /** The smaller of a and b; at a tie the gradient goes to b. */
  public static Tensor minimum(Tensor a, Tensor b) {
    return BinaryNode.forward(BinaryNode.Function.MINIMUM, a, b);
  }

  /** x + number. */
  public static Tensor addScalar(Tensor x, float number) {
    return ScaleNode.forward("addScalar", x, 1f, number);
  }

  /** x * number. */
  public static Tensor mulScalar(Tensor x, float number) {
    return ScaleNode.forward("mulScalar", x, number, 0f);
  }

  /** -x. */
  public static Tensor neg(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.NEG, x);
  }

  /** e^x. */
  public static Tensor exp(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.EXP, x);
  }

  /** Natural logarithm. */
  public static Tensor log(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.LOG, x);
  }

  /** Square root. */
  public static Tensor sqrt(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.SQRT, x);
  }

  /** x * x. */
  public static Tensor square(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.SQUARE, x);
  }

  /** 1 / (1 + e^-x). */
  public static Tensor sigmoid(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.SIGMOID, x);
  }

  /** log sigmoid(x), without overflow. */
  public static Tensor logSigmoid(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.LOG_SIGMOID, x);
  }

  /** x * sigmoid(x). */
  public static Tensor silu(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.SILU, x);
  }

  /** max(x, 0). */
  public static Tensor relu(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.RELU, x);
  }

  /** Hyperbolic tangent. */
  public static Tensor tanh(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.TANH, x);
  }

  /** |x|. */
  public static Tensor abs(Tensor x) {
    return UnaryNode.forward(UnaryNode.Function.ABS, x);
  }

  // ---------------------------------------------------------------- products, softmax, sums

  /** Product of the matrices in the last two axes; see the form with transposition. */
  public static Tensor matmul(Tensor a, Tensor b) {
    return MatmulNode.forward(a, b, false, false);
  }

  /**
   * op(a) [..., M, K] times op(b) [..., K, N], where op transposes the last two axes if asked to.
   * Leading axes must agree; a matrix b may also be shared by all matrices of an untransposed a.
   */
  public static Tensor matmul(Tensor a, Tensor b, boolean transposeA, boolean transposeB) {
    return MatmulNode.forward(a, b, transposeA, transposeB);
  }

  /** Softmax over the last axis. */
  public static Tensor softmax(Tensor x) {
    return SoftmaxNode.forward(x, false);
  }

  /** Logarithm of the softmax over the last axis. */
  public static Tensor logSoftmax(Tensor x) {
    return SoftmaxNode.forward(x, true);
  }

  /** Sum of all elements, a scalar. */
  public static Tensor sum(Tensor x) {
    return ReduceNode.all(ReduceNode.Kind.SUM, x);
  }

  /** Mean of all elements, a scalar. */
  public static Tensor mean(Tensor x) {
    return ReduceNode.all(ReduceNode.Kind.MEAN, x);
  }

  /** Largest element, a scalar; equal ones share the gradient. */
  public static Tensor max(Tensor x) {
    return ReduceNode.all(ReduceNode.Kind.MAX, x);
  }

  /** Sum along an axis, which disappears. */
  public static Tensor sum(Tensor x, int axis) {
    return ReduceNode.forward(ReduceNode.Kind.SUM, x, axis);
  }

  /** Mean along an axis, which disappears. */
  public static Tensor mean(Tensor x, int axis) {
    return ReduceNode.forward(ReduceNode.Kind.MEAN, x, axis);
  }

  /** Largest element along an axis, which disappears; equal ones share the gradient. */
  public static Tensor max(Tensor x, int axis) {
    return ReduceNode.forward(ReduceNode.Kind.MAX, x, axis);
  }

  // ---------------------------------------------------------------- shape and index

  /** The same elements in other dimensions, one of which may be -1; shares memory. */
  public static Tensor reshape(Tensor x, long... shape) {
    return x.reshape(shape);
  }

  /** Axis i of the result is axis {@code axes[i]} of x. */
  public static Tensor transpose(Tensor x, int... axes) {
    return Strided.transpose(x, axes);
  }

  /** Places {@code start} to {@code start + length - 1} of an axis; on axis 0 shares memory. */
  public static Tensor slice(Tensor x, int axis, long start, long length) {
    return Strided.slice(x, axis, start, length);
  }

  /** Joins tensors that differ only in the length of one axis. */
  public static Tensor concat(int axis, Tensor... parts) {
    return Strided.concat(axis, parts);
  }

  /** x repeated to a larger shape. */
  public static Tensor broadcastTo(Tensor x, long... shape) {
    return Strided.broadcastTo(x, shape);
  }

  /** Row {@code index[i]} of x [rows, ...] as row i; index i32 [n]. */
  public static Tensor gatherRows(Tensor x, Tensor index) {
    return IndexOps.gatherRows(x, index);
  }

  /** Element {@code index[r]} of each row r of x [rows, cols]; index i32 [rows]; result [rows]. */
  public static Tensor pick(Tensor x, Tensor index) {
    return IndexOps.pick(x, index);
  }

  /** Sums of x[offsets[s]] to x[offsets[s+1] - 1] of a vector; result [offsets.length - 1]. */
  public static Tensor segmentSum(Tensor x, int... offsets) {
    return IndexOps.segmentSum(x, offsets);
  }

  /** A bf16 or f32 tensor as f32; the gradient passes through. */
  public static Tensor toF32(Tensor x) {
    if (x.dtype() == DType.F32) {
      return x;
    }
    Tensor y = x.to(DType.F32);
    Tape tape = Tape.tracking(x);
    if (tape != null) {
      tape.append(g -> g.pass(0), y, new @Nullable Tensor[] {x});
    }
    return y;
  }

  // ---------------------------------------------------------------- transformer

  /**
   * Rows of a table.
   *
   * @param table f32 or bf16 [V,C]
   * @param ids i32 [T]
   * @return [T,C]
   */
  public static Tensor embedding(Tensor table, Tensor ids) {
    return EmbeddingNode.forward(table, ids);
  }

  /**
   * gain * x / sqrt(mean(x^2) + eps) over the last axis (Zhang and Sennrich 2019).
   *
   * @param x [T,C]
   * @param gain [C]
   */
  public static Tensor rmsNorm(Tensor x, Tensor gain, float eps) {
    return RmsNormNode.forward(x, gain, eps);
  }

  /**
   * Rotates the pairs (i, i + D/2) of each head by position * frequency (Su et al. 2021).
   *
   * @param x [T, heads*D]
   * @param positions i32 [T]
   * @param inverseFrequencies f32 [D/2]
   */
  public static Tensor rope(Tensor x, int heads, Tensor positions, Tensor inverseFrequencies) {
    return RopeNode.forward(x, heads, positions, inverseFrequencies);
  }

  /**
   * Causal attention over packed sequences (Dao 2023), in float32 on a CPU.
   *
   * @param q [T, heads*D]; query head h uses key head h / (heads/kvHeads)
   * @param k [T, kvHeads*D]
   * @param v [T, kvHeads*D]
   * @return [T, heads*D]; rows outside all sequences are 0
   */
  public static Tensor attention(
      Tensor q, Tensor k, Tensor v, int heads, int kvHeads, Sequences sequences, float scale) {
    return attention(q, k, v, heads, kvHeads, sequences, scale, DType.F32);
  }

  /**
   * The same.
   *
   * @param precision BF16 allows the device to round what it multiplies to bf16, in both
   *     directions, where that is faster; with F32 only GPUs do. Sums are float32.
   */
  public static Tensor attention(
      Tensor q,
      Tensor k,
      Tensor v,
      int heads,
      int kvHeads,
      Sequences sequences,
      float scale,
      DType precision) {
    return AttentionNode.forward(q, k, v, heads, kvHeads, sequences, scale, precision);
  }

  /** silu(gate) * up (Shazeer 2020). */
  public static Tensor swiGlu(Tensor gate, Tensor up) {
    return SwiGluNode.forward(gate, up);
  }

  /** x W^T without an adapter; x [M,K], result [M,N]. */
  public static Tensor linear(Tensor x, Weight weight) {
    return LinearNode.forward(x, weight, null, 0);
  }

  /**
   * x W^T + scale * drop(x) A^T B^T (Hu et al. 2021).
   *
   * @param x [M,K]
   * @param lora the adapter, or null
   * @param key key of the dropout mask; projections of one input share a mask by sharing the key
   * @return [M,N]
   */
  public static Tensor linear(Tensor x, Weight weight, @Nullable LoraBranch lora, long key) {
    return LinearNode.forward(x, weight, lora, key);
  }

  // ---------------------------------------------------------------- losses

  /**
   * Sum of weighted cross-entropies of labelled rows; the logits h head^T are never stored whole.
   *
   * @param h [T,C]
   * @param head [V,C]
   * @param labels i32 [T]; rows with -100 are left out
   * @param weights f32 [T], or null for ones; gets no gradient
   * @param gradScale factor on the gradients: {@code backward(sum)} gives those of gradScale * sum
   * @return a scalar
   */
  public static Tensor linearCrossEntropy(
      Tensor h, Weight.Dense head, Tensor labels, @Nullable Tensor weights, float gradScale) {
    return CrossEntropyNode.forward(h, head, labels, weights, gradScale);
  }

  /**
   * Cross-entropy of each row, 0 on rows labelled -100; for evaluation, never recorded.
   *
   * @return f32 [T]
   */
  public static Tensor crossEntropyRows(Tensor h, Weight.Dense head, Tensor labels) {
    return CrossEntropyNode.rows(h, head, labels);
  }

  /**
   * Log-probability of the label of each row and, if asked for, the entropy; 0 on rows labelled
   * -100. Both are differentiable.
   *
   * @param h [T,C]
   * @param head [V,C]
   * @param labels i32 [T]
   */
  public static TokenScores linearLogProb(
      Tensor h, Weight.Dense head, Tensor labels, boolean entropy) {
    return LogProbNode.forward(h, head, labels, entropy);
  }

  /**
   * Preference losses of n pairs from the log-probabilities of whole answers; differentiable with
   * respect to the policy's.
   *
   * @param chosen f32 [n]: policy, preferred answers
   * @param rejected f32 [n]: policy, other answers
   * @param refChosen f32 [n]: reference, preferred answers
   * @param refRejected f32 [n]: reference, other answers
   * @param chosenLengths tokens of the preferred answers, at least 1; matter to IPO only
   * @param rejectedLengths tokens of the other answers
   * @param labelSmoothing in [0, 0.5), sigmoid only
   * @return losses [n]
   */
  public static Tensor dpoLoss(
      Tensor chosen,
      Tensor rejected,
      Tensor refChosen,
      Tensor refRejected,
      int[] chosenLengths,
      int[] rejectedLengths,
      DpoKind kind,
      float beta,
      float labelSmoothing) {
    return PairLossNode.dpo(
        chosen,
        rejected,
        refChosen,
        refRejected,
        chosenLengths,
        rejectedLengths,
        kind,
        beta,
        labelSmoothing);
  }

  /**
   * Bradley-Terry losses -log s(chosen - rejected - margin) + center (chosen + rejected)^2 of n
   * pairs of rewards (Ouyang et al. 2022).
   *
   * @param margin f32 [n], or null for 0
   * @return losses [n]
   */
  public static Tensor rewardPairLoss(
      Tensor chosen, Tensor rejected, @Nullable Tensor margin, float center) {
    return PairLossNode.reward(chosen, rejected, margin, center);
  }
}
