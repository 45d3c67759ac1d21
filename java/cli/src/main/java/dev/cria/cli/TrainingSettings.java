package dev.cria.cli;

import dev.cria.llm.lora.LoraConfig;
import dev.cria.llm.train.TrainerConfig;
import dev.cria.optim.AdamWConfig;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code cria sft} and {@code cria dpo} have in common, as it stands in {@code run.json}. The
 * same settings give the same adapter bit for bit.
 *
 * @param model folder of the base model
 * @param adapter folder of the adapter that is trained on, null for a new one
 * @param data file to learn from
 * @param evalData file to evaluate on, null for none
 * @param holdOut records of {@code data} kept for evaluation
 * @param full whether the weights themselves are trained
 * @param rank of a new adapter; alpha, dropout and targets likewise
 * @param quantize {@code nf4} or null
 * @param template name of the chat template, null for the model's own
 * @param maxLength most tokens of a text, null for the context
 * @param truncate whether longer records are cut
 * @param dropLong whether longer records are left out
 * @param appendEos whether EOS ends texts that no mark of a template ends
 * @param epochs passes over the data, where steps is 0
 * @param batchTokens most tokens of a micro-batch
 * @param batchItems most records of a micro-batch, 0 for any number
 * @param memory most bytes of the process, 0 for no limit
 */
record TrainingSettings(
    String model,
    @Nullable String adapter,
    String data,
    @Nullable String evalData,
    int holdOut,
    boolean full,
    int rank,
    double alpha,
    double dropout,
    List<String> targets,
    @Nullable String quantize,
    @Nullable String template,
    @Nullable Integer maxLength,
    boolean truncate,
    boolean dropLong,
    boolean appendEos,
    int epochs,
    long steps,
    double learningRate,
    String schedule,
    String warmup,
    double clip,
    float weightDecay,
    String optimizer,
    long batchTokens,
    int batchItems,
    int accumulate,
    long memory,
    long evalEvery,
    long saveEvery,
    long seed) {

  /** The settings of a command line. */
  static TrainingSettings of(ModelOptions m, TrainingOptions t, long batchTokens, int batchItems) {
    Long tokens = t.batchTokens;
    Long memory = t.memory;
    return new TrainingSettings(
        m.model.toString(),
        text(m.adapter),
        t.data.toString(),
        text(t.evalData),
        t.holdOut,
        t.full,
        t.rank,
        t.alpha,
        t.dropout,
        List.copyOf(t.targets),
        m.quantize == null ? null : "nf4",
        t.template,
        t.maxLength,
        t.truncate,
        t.dropLong,
        !t.noEos,
        t.epochs,
        t.stepCount(),
        t.peakRate(),
        lower(t.schedule),
        t.warmup.toString(),
        t.clip,
        t.weightDecay,
        lower(t.optimizer),
        tokens == null ? batchTokens : tokens,
        batchItems,
        t.accumulate,
        memory == null ? 0 : memory,
        t.evalEvery,
        t.saveEvery,
        t.seed);
  }

  private static @Nullable String text(@Nullable Path path) {
    return path == null ? null : path.toString();
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(java.util.Locale.ROOT);
  }

  LoraConfig lora() {
    return new LoraConfig(rank, alpha, dropout, targets);
  }

  /** The settings as the trainer wants them, with checkpoints in {@code folder}. */
  TrainerConfig trainer(Path folder, boolean resume, Warmup warm) {
    AdamWConfig standard = AdamWConfig.standard();
    TrainerConfig config =
        TrainerConfig.defaults()
            .epochs(epochs)
            .steps(steps)
            .batchTokens(batchTokens)
            .batchItems(batchItems)
            .accumulate(accumulate)
            .learningRate(learningRate)
            .schedule(
                TrainerConfig.LearningRate.valueOf(schedule.toUpperCase(java.util.Locale.ROOT)))
            .clipNorm(clip)
            .evaluateEvery(evalEvery)
            .memoryLimit(memory)
            .seed(seed)
            .resume(resume)
            .adamw(
                new AdamWConfig(
                    standard.beta1(),
                    standard.beta2(),
                    standard.eps(),
                    weightDecay,
                    optimizer.equals("adamw8")));
    config =
        warm.steps() >= 0 ? config.warmupSteps(warm.steps()) : config.warmupRatio(warm.share());
    return saveEvery > 0 || resume ? config.checkpoints(folder, saveEvery, 2) : config;
  }
}
