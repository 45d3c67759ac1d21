package dev.cria.bench;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.nn.KvCache;
import org.openjdk.jmh.annotations.Param;

/**
 * Generation token by token: attention of one row over a bf16 cache, of which several take turns,
 * and filling a cache with the rows of a prompt.
 */
public class KvCacheBenchmark extends OperationBenchmark {
  /** What is done. */
  public enum Step {
    ATTEND,
    APPEND
  }

  @Param public Step step = Step.ATTEND;

  @Param({"512", "2048"})
  public int tokens;

  @Override
  protected Operation prepare() {
    int heads = model.heads;
    Tensor k = numbers(tokens, model.width);
    Tensor v = numbers(tokens, model.width);
    double bytes = 4.0 * tokens * model.width; // keys and values in bf16
    Turns<KvCache> caches =
        new Turns<>(
            model.turns(bytes),
            i -> {
              KvCache cache =
                  own(new KvCache(device(), tokens, heads, model.headWidth(), DType.BF16));
              cache.append(k, v);
              return cache;
            });
    if (step == Step.APPEND) {
      return Operation.of(
          Work.bytes(3 * bytes),
          () -> {
            KvCache cache = caches.next();
            cache.truncate(0);
            cache.append(k, v);
          });
    }
    Tensor q = numbers(1, model.width);
    float scale = (float) (1 / Math.sqrt(model.headWidth()));
    return Operation.of(
        Work.bf16(4.0 * tokens * model.width, bytes), () -> caches.next().attend(q, heads, scale));
  }
}
