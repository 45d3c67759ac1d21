package dev.cria.llm.train;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One optimisation step.
 *
 * @param step its number, from 1
 * @param epoch epochs done after it
 * @param loss mean over its labelled tokens or pairs, before the update
 * @param metrics further means, by name
 * @param rows tokens that went through the model
 * @param weight labelled tokens or pairs
 * @param gradientNorm of the mean loss, before clipping
 * @param learningRate of the update
 * @param seconds it took
 * @param liveBytes device memory in use after it
 * @param residentBytes memory of the process after it that is not a clean page of a file, -1 where
 *     the system does not say
 */
public record StepReport(
    long step,
    double epoch,
    double loss,
    Map<String, Double> metrics,
    long rows,
    double weight,
    double gradientNorm,
    double learningRate,
    double seconds,
    long liveBytes,
    long residentBytes) {

  /** Rows per second. */
  public double tokensPerSecond() {
    return seconds > 0 ? rows / seconds : 0;
  }

  /** All fields by name, for files that programs read. */
  public Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("step", step);
    map.put("epoch", epoch);
    map.put("loss", loss);
    map.putAll(metrics);
    map.put("rows", rows);
    map.put("weight", weight);
    map.put("gradient_norm", gradientNorm);
    map.put("learning_rate", learningRate);
    map.put("seconds", seconds);
    map.put("tokens_per_second", tokensPerSecond());
    map.put("live_bytes", liveBytes);
    map.put("resident_bytes", residentBytes);
    return map;
  }
}
