package dev.cria.llm;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Shape and constants of a LLaMA-family model, as {@code config.json} of a Hugging Face folder
 * states them.
 *
 * @param hidden model width C
 * @param intermediate feed-forward width
 * @param layers number of blocks
 * @param heads query heads
 * @param kvHeads key/value heads; divides {@code heads}
 * @param headDim width D of a head; {@code heads * headDim} need not equal {@code hidden}
 * @param vocab rows of the embedding
 * @param context longest sequence in tokens
 * @param rmsEps epsilon inside the root of RMSNorm
 * @param ropeTheta base of the rotary frequencies
 * @param tied whether the output head is the embedding itself
 * @param bosId id that begins a text, if declared
 * @param eosIds ids that end a text, the main one first; may be empty
 * @param padId id used for padding, if declared
 * @param ropeScaling stretching of the rotary frequencies, if any
 * @param initializerRange standard deviation for new random weights
 */
public record LlamaConfig(
    int hidden,
    int intermediate,
    int layers,
    int heads,
    int kvHeads,
    int headDim,
    int vocab,
    int context,
    double rmsEps,
    double ropeTheta,
    boolean tied,
    OptionalInt bosId,
    List<Integer> eosIds,
    OptionalInt padId,
    Optional<RopeScaling> ropeScaling,
    double initializerRange) {

  /** Widest head the kernels take. */
  public static final int MAX_HEAD_DIM = 128;

  /** Checks every number, so that nothing later has to. */
  public LlamaConfig {
    positive("hidden_size", hidden, 1 << 20);
    positive("intermediate_size", intermediate, 1 << 22);
    positive("num_hidden_layers", layers, 10_000);
    positive("num_attention_heads", heads, 1 << 16);
    positive("num_key_value_heads", kvHeads, 1 << 16);
    positive("head_dim", headDim, MAX_HEAD_DIM);
    positive("vocab_size", vocab, 1 << 24);
    positive("max_position_embeddings", context, 1 << 28);
    if (headDim % 2 != 0) {
      throw bad("head_dim " + headDim + " is odd; rotary positions need pairs");
    }
    if (heads % kvHeads != 0) {
      throw bad(
          "num_attention_heads " + heads + " is not a multiple of num_key_value_heads " + kvHeads);
    }
    if (!(rmsEps > 0 && rmsEps < 1)) {
      throw bad("rms_norm_eps is " + rmsEps + ", a number between 0 and 1 expected");
    }
    if (!(ropeTheta >= 1) || Double.isInfinite(ropeTheta)) {
      throw bad("rope_theta is " + ropeTheta + ", at least 1 expected");
    }
    if (!(initializerRange >= 0 && initializerRange < 100)) {
      throw bad("initializer_range is " + initializerRange);
    }
    eosIds = List.copyOf(eosIds);
    id("bos_token_id", bosId, vocab);
    id("pad_token_id", padId, vocab);
    for (int eos : eosIds) {
      id("eos_token_id", OptionalInt.of(eos), vocab);
    }
  }

  /** The main id that ends a text, if one is declared. */
  public OptionalInt eosId() {
    return eosIds.isEmpty() ? OptionalInt.empty() : OptionalInt.of(eosIds.getFirst());
  }

  /** Width of all query heads together: rows of {@code q_proj}, columns of {@code o_proj}. */
  public int queryDim() {
    return heads * headDim;
  }

  /** Width of all key (or value) heads together: rows of {@code k_proj} and {@code v_proj}. */
  public int kvDim() {
    return kvHeads * headDim;
  }

  /** Number of weights, a tied head counted once. */
  public long parameters() {
    long attention = 2L * hidden * queryDim() + 2L * hidden * kvDim();
    long perLayer = attention + 3L * hidden * intermediate + 2L * hidden;
    return layers * perLayer + (long) vocab * hidden * (tied ? 1 : 2) + hidden;
  }

  /** Names and shapes of all tensors of a Hugging Face folder, in the order of the forward pass. */
  public Map<String, long[]> tensorShapes() {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    shapes.put("model.embed_tokens.weight", new long[] {vocab, hidden});
    for (int layer = 0; layer < layers; layer++) {
      String prefix = "model.layers." + layer + ".";
      shapes.put(prefix + "input_layernorm.weight", new long[] {hidden});
      shapes.put(prefix + "self_attn.q_proj.weight", new long[] {queryDim(), hidden});
      shapes.put(prefix + "self_attn.k_proj.weight", new long[] {kvDim(), hidden});
      shapes.put(prefix + "self_attn.v_proj.weight", new long[] {kvDim(), hidden});
      shapes.put(prefix + "self_attn.o_proj.weight", new long[] {hidden, queryDim()});
      shapes.put(prefix + "post_attention_layernorm.weight", new long[] {hidden});
      shapes.put(prefix + "mlp.gate_proj.weight", new long[] {intermediate, hidden});
      shapes.put(prefix + "mlp.up_proj.weight", new long[] {intermediate, hidden});
      shapes.put(prefix + "mlp.down_proj.weight", new long[] {hidden, intermediate});
    }
    shapes.put("model.norm.weight", new long[] {hidden});
    if (!tied) {
      shapes.put("lm_head.weight", new long[] {vocab, hidden});
    }
    return shapes;
  }

  private static void positive(String name, int value, int most) {
    if (value < 1 || value > most) {
      throw bad(name + " is " + value + ", 1 to " + most + " expected");
    }
  }

  private static void id(String name, OptionalInt id, int vocab) {
    if (id.isPresent() && (id.getAsInt() < 0 || id.getAsInt() >= vocab)) {
      throw bad(name + " is " + id.getAsInt() + ", outside the vocabulary of " + vocab);
    }
  }

  private static InvalidInputException bad(String problem) {
    return new InvalidInputException("model config", problem);
  }
}
