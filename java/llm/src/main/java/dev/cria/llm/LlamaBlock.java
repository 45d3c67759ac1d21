package dev.cria.llm;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Sequences;
import dev.cria.llm.lora.Adapter;
import dev.cria.nn.KvCache;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One block of the model: attention and feed-forward network, each after its RMSNorm and added to
 * the residual stream (Touvron et al. 2023).
 */
final class LlamaBlock {
  /** Names of the seven matrices within a block, in the order of {@link #matrices}. */
  static final List<String> MATRICES =
      List.of(
          "self_attn.q_proj",
          "self_attn.k_proj",
          "self_attn.v_proj",
          "self_attn.o_proj",
          "mlp.gate_proj",
          "mlp.up_proj",
          "mlp.down_proj");

  // Inputs that have a dropout mask of their own: the projections of one input share it.
  private static final int ATTENTION_INPUT = 0;
  private static final int OUTPUT_INPUT = 1;
  private static final int FEED_FORWARD_INPUT = 2;
  private static final int DOWN_INPUT = 3;

  private final LlamaConfig config;
  private final int index;
  private final String path;
  private final Parameter attentionGain;
  private final Parameter feedForwardGain;
  private final Weight[] matrices;

  LlamaBlock(
      LlamaConfig config,
      int index,
      Parameter attentionGain,
      Parameter feedForwardGain,
      Weight[] matrices) {
    this.config = config;
    this.index = index;
    this.path = path(index);
    this.attentionGain = attentionGain;
    this.feedForwardGain = feedForwardGain;
    this.matrices = matrices;
  }

  /** Module path of block {@code index}, with a dot at its end. */
  static String path(int index) {
    return "model.layers." + index + ".";
  }

  /** Shape {@code [out, in]} of matrix {@code m} of {@link #MATRICES}. */
  static long[] shape(LlamaConfig c, int m) {
    return switch (m) {
      case 0 -> new long[] {c.queryDim(), c.hidden()};
      case 1, 2 -> new long[] {c.kvDim(), c.hidden()};
      case 3 -> new long[] {c.hidden(), c.queryDim()};
      case 4, 5 -> new long[] {c.intermediate(), c.hidden()};
      case 6 -> new long[] {c.hidden(), c.intermediate()};
      default -> throw new IllegalArgumentException("no matrix " + m);
    };
  }

  Parameter attentionGain() {
    return attentionGain;
  }

  Parameter feedForwardGain() {
    return feedForwardGain;
  }

  Weight matrix(int m) {
    return matrices[m];
  }

  /** x [T,C] -> [T,C] over packed sequences. */
  Tensor forward(Tensor x, Sequences sequences, Rotary rotary, ForwardContext context) {
    Tensor in = Ops.rmsNorm(x, attentionGain.value(), (float) config.rmsEps());
    Tensor q = rotary.rotate(project(in, 0, ATTENTION_INPUT, context), config.heads());
    Tensor k = rotary.rotate(project(in, 1, ATTENTION_INPUT, context), config.kvHeads());
    Tensor v = project(in, 2, ATTENTION_INPUT, context);
    DType precision = matrices[0].precision();
    Tensor mixed =
        Ops.attention(q, k, v, config.heads(), config.kvHeads(), sequences, scale(), precision);
    return feedForward(Ops.add(x, project(mixed, 3, OUTPUT_INPUT, context)), context);
  }

  /** The same for the next T rows of one text whose earlier rows are in the cache. */
  Tensor decode(Tensor x, KvCache cache, Rotary rotary, ForwardContext context) {
    Tensor in = Ops.rmsNorm(x, attentionGain.value(), (float) config.rmsEps());
    Tensor q = rotary.rotate(project(in, 0, ATTENTION_INPUT, context), config.heads());
    Tensor k = rotary.rotate(project(in, 1, ATTENTION_INPUT, context), config.kvHeads());
    cache.append(k, project(in, 2, ATTENTION_INPUT, context));
    Tensor mixed = cache.attend(q, config.heads(), scale());
    return feedForward(Ops.add(x, project(mixed, 3, OUTPUT_INPUT, context)), context);
  }

  private float scale() {
    return (float) (1 / Math.sqrt(config.headDim()));
  }

  private Tensor feedForward(Tensor x, ForwardContext context) {
    Tensor in = Ops.rmsNorm(x, feedForwardGain.value(), (float) config.rmsEps());
    Tensor gate = project(in, 4, FEED_FORWARD_INPUT, context);
    Tensor up = project(in, 5, FEED_FORWARD_INPUT, context);
    return Ops.add(x, project(Ops.swiGlu(gate, up), 6, DOWN_INPUT, context));
  }

  private Tensor project(Tensor x, int m, int input, ForwardContext context) {
    Adapter adapter = context.adapter();
    @Nullable LoraBranch branch =
        adapter == null ? null : adapter.branch(path + MATRICES.get(m), context.training());
    return Ops.linear(x, matrices[m], branch, context.maskKey(index, input));
  }

  /** Positions and frequencies of one forward pass. */
  record Rotary(Tensor positions, Tensor inverseFrequencies) {
    Tensor rotate(Tensor x, int heads) {
      return Ops.rope(x, heads, positions, inverseFrequencies);
    }
  }
}
