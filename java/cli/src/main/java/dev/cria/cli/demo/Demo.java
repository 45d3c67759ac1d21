package dev.cria.cli.demo;

import dev.cria.Device;
import dev.cria.llm.Llama;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.Weights;
import dev.cria.llm.chat.ChatTemplate;
import dev.cria.llm.checkpoint.ModelWriter;
import dev.cria.llm.data.DataSet;
import dev.cria.llm.data.EncodeOptions;
import dev.cria.llm.data.Encoder;
import dev.cria.llm.lora.Adapter;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.LoraConfig;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerFiles;
import dev.cria.llm.train.DpoObjective;
import dev.cria.llm.train.History;
import dev.cria.llm.train.Samples;
import dev.cria.llm.train.SupervisedObjective;
import dev.cria.llm.train.Trainer;
import dev.cria.llm.train.TrainerConfig;
import dev.cria.llm.train.TrainerListener;
import dev.cria.optim.AdamWConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Pretrains a small model, quantises it, fine-tunes it on instructions and aligns it with
 * preferences, all through the interfaces that users have, and examines it between the stages.
 */
public final class Demo {
  private static final int CONTEXT = 128;
  private static final int HEAD = 32;

  private final Scale scale;
  private final long seed;
  private final Path out;
  private final Watcher watcher;
  private final WorldFiles files;

  /** Told what the demo does. */
  public interface Watcher extends dev.cria.llm.train.Objective.Progress {
    /** A stage of training begins; its reports go to the result. */
    TrainerListener stage(String name);

    /** A part of the demo is done. */
    void done(String part);
  }

  /**
   * What came out.
   *
   * @param recalled share of held-out words that the pretrained model states backwards rightly
   * @param recalledNf4 the same after quantisation
   * @param base marks of the quantised model
   * @param tuned marks after supervised fine-tuning
   * @param aligned marks after preference optimisation
   */
  public record Result(
      World world,
      LlamaConfig model,
      Samples recalled,
      Samples recalledNf4,
      Exam.Marks base,
      Exam.Marks tuned,
      Exam.Marks aligned,
      History pretraining,
      History sft,
      History dpo) {
    /** Whether both figures became better in both stages, beyond noise. */
    public boolean improved() {
      return Share.improved(base.exact(), tuned.exact())
          && Share.improved(base.preferred(), tuned.preferred())
          && Share.improved(tuned.exact(), aligned.exact())
          && Share.improved(tuned.preferred(), aligned.preferred());
    }
  }

  /** A demo that writes into the folder {@code out}. */
  public Demo(Scale scale, long seed, Path out, Watcher watcher) {
    this.scale = scale;
    this.seed = seed;
    this.out = out;
    this.watcher = watcher;
    this.files = new WorldFiles(out.resolve("data"));
  }

  /** Model folder of the pretrained model, f32. */
  public Path base() {
    return out.resolve("base");
  }

  /** Model folder of the quantised model. */
  public Path quantized() {
    return out.resolve("base-nf4");
  }

  /** Adapter folder after supervised fine-tuning. */
  public Path tuned() {
    return out.resolve("adapter-sft");
  }

  /** Adapter folder after preference optimisation. */
  public Path aligned() {
    return out.resolve("adapter-dpo");
  }

  /** Runs everything. */
  public Result run(Device device) throws IOException {
    World world = World.of(scale, seed);
    files.write(world);
    watcher.done("data");
    List<String> words = world.exam().stream().map(World.Pair::word).toList();
    LlamaConfig shape = shape();
    History pretraining;
    Samples recalled;
    try (Llama model = Llama.init(shape, device, Weights.F32, seed)) {
      model.setTokenizer(Letters.tokenizer());
      pretraining = pretrain(model);
      watcher.done("pretrain");
      recalled = Recall.of(model, words, watcher);
      ModelWriter.of(model).with(this::writeTokenizer).write(base());
    }
    Samples recalledNf4;
    try (Llama model = Llama.load(base(), device, Weights.NF4)) {
      recalledNf4 = Recall.of(model, words, watcher);
      ModelWriter.of(model).write(quantized());
    }
    watcher.done("quantise");
    try (Llama model = Llama.load(quantized(), device, Weights.AS_STORED)) {
      Encoder encoder = encoder(model.tokenizer());
      Exam exam = new Exam(encoder.pairs(DataSet.load(files.exam())).items());
      Exam.Marks base = exam.examine(model, watcher);
      watcher.done("exam base");
      Adapter adapter = Lora.attach(model, LoraConfig.of(16, 32), seed);
      History sft = tune(model, encoder);
      adapter.save(tuned());
      watcher.done("sft");
      Exam.Marks tuned = exam.examine(model, watcher);
      watcher.done("exam sft");
      History dpo = align(model, encoder);
      adapter.save(aligned());
      watcher.done("dpo");
      Exam.Marks aligned = exam.examine(model, watcher);
      watcher.done("exam dpo");
      return new Result(
          world, shape, recalled, recalledNf4, base, tuned, aligned, pretraining, sft, dpo);
    }
  }

  private LlamaConfig shape() {
    Tokenizer tokenizer = Letters.tokenizer();
    int heads = scale.hidden() / HEAD;
    return new LlamaConfig(
        scale.hidden(),
        scale.intermediate(),
        scale.layers(),
        heads,
        heads,
        HEAD,
        tokenizer.vocabSize(),
        CONTEXT,
        1e-5,
        10_000,
        true,
        tokenizer.bosId(),
        List.of(tokenizer.eosId().orElseThrow()),
        OptionalInt.empty(),
        Optional.empty(),
        // Half the usual 1/sqrt(C): small models of few layers learn soonest from there.
        0.5 / Math.sqrt(scale.hidden()));
  }

  private void writeTokenizer(Path folder) throws IOException {
    TokenizerFiles.write(Letters.tokenizer(), folder, Optional.of(Letters.CHAT_TEMPLATE), CONTEXT);
  }

  private static Encoder encoder(Tokenizer tokenizer) {
    ChatTemplate template = ChatTemplate.of("demo", Letters.CHAT_TEMPLATE, tokenizer);
    return new Encoder(tokenizer, Optional.of(template), new EncodeOptions(CONTEXT, false, true));
  }

  private History pretrain(Llama model) throws IOException {
    TrainerConfig config =
        TrainerConfig.defaults()
            .steps(scale.pretrainingSteps())
            .learningRate(3e-3)
            .warmupSteps(20)
            .adamw(new AdamWConfig(0.9, 0.98, 1e-8f, 0.01f, false))
            .seed(seed);
    return new Trainer(model, new SupervisedObjective(), config)
        .listener(watcher.stage("pretrain"))
        .train(encoder(model.tokenizer()).texts(DataSet.load(files.pretraining())).items());
  }

  private History tune(Llama model, Encoder encoder) throws IOException {
    TrainerConfig config =
        TrainerConfig.defaults()
            .epochs(scale.sftEpochs())
            .batchTokens(1024)
            .learningRate(3e-3)
            .evaluateEvery(25)
            .seed(seed);
    return new Trainer(model, new SupervisedObjective(), config)
        .listener(watcher.stage("sft"))
        .heldOut(encoder.texts(DataSet.load(files.taught())).items())
        .train(encoder.texts(DataSet.load(files.demonstrations())).items());
  }

  private History align(Llama model, Encoder encoder) throws IOException {
    TrainerConfig config =
        TrainerConfig.defaults()
            .epochs(scale.dpoEpochs())
            .batchTokens(1024)
            .learningRate(1e-3)
            .evaluateEvery(25)
            .seed(seed);
    return new Trainer(model, new DpoObjective(0.1), config)
        .listener(watcher.stage("dpo"))
        .heldOut(encoder.pairs(DataSet.load(files.exam())).items())
        .train(encoder.pairs(DataSet.load(files.pairs())).items());
  }
}
