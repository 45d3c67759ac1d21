package dev.cria.cli;

import dev.cria.Tensor;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.checkpoint.WeightReader;
import dev.cria.nn.Nf4Matrix;
import org.jspecify.annotations.Nullable;

/** Shows how many of a model's weights have been read. */
final class WeightProgress implements WeightReader {
  private final WeightReader reader;
  private final Progress progress;
  private final String work;
  private final int total;
  private int done;

  WeightProgress(WeightReader reader, LlamaConfig config, Progress progress, String work) {
    this.reader = reader;
    this.progress = progress;
    this.work = work;
    this.total = config.tensorShapes().size();
  }

  @Override
  public Tensor dense(String name, long... shape) {
    Tensor tensor = reader.dense(name, shape);
    progress.at(work, ++done, total);
    return tensor;
  }

  @Override
  public @Nullable Nf4Matrix nf4(String name, long rows, long columns) {
    Nf4Matrix matrix = reader.nf4(name, rows, columns);
    if (matrix != null) {
      progress.at(work, ++done, total);
    }
    return matrix;
  }
}
