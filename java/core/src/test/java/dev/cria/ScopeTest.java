package dev.cria;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.autograd.Ops;
import org.junit.jupiter.api.Test;

class ScopeTest extends DeviceTest {
  @Test
  void closingFreesAllButThePromoted() {
    long before = device.liveBytes();
    Tensor kept;
    try (Scope inner = Scope.open()) {
      randn(1, 100);
      kept = inner.promote(randn(2, 50));
      assertThat(device.liveBytes()).isEqualTo(before + 600);
    }
    assertThat(device.liveBytes()).isEqualTo(before + 200);
    assertThat(kept.toFloats()).hasSize(50);
  }

  @Test
  void memoryIsFreedWhenAnExceptionPasses() {
    long before = device.liveBytes();
    assertThatThrownBy(
            () -> {
              try (Scope inner = Scope.open()) {
                randn(1, 100);
                try (Scope innermost = Scope.open()) {
                  randn(1, 100);
                  throw new IllegalStateException("stop");
                }
              }
            })
        .hasMessage("stop");
    assertThat(device.liveBytes()).isEqualTo(before);
    assertThat(Scope.current()).isSameAs(scope);
  }

  @Test
  void detachedScopeOutlivesTheStack() {
    long before = device.liveBytes();
    Scope model = Scope.detached();
    Tensor weight;
    Tensor adopted;
    try (Scope inner = Scope.open()) {
      weight = model.call(() -> randn(1, 10));
      adopted = model.adopt(randn(2, 10));
    }
    assertThat(weight.toFloats()).hasSize(10);
    assertThat(adopted.toFloats()).hasSize(10);
    model.close();
    model.close();
    assertThat(weight.isClosed()).isTrue();
    assertThat(device.liveBytes()).isEqualTo(before);
  }

  @Test
  void retainedMemoryOutlivesItsScope() {
    Tensor x;
    try (Scope inner = Scope.open()) {
      x = randn(1, 10);
      x.retain();
      x.retain();
    }
    x.release();
    assertThat(x.toFloats()).hasSize(10);
    x.release();
    assertThat(x.isClosed()).isTrue();
    assertThatThrownBy(x::release).hasMessageContaining("more often than retained");
  }

  @Test
  void closingAnOuterScopeClosesTheInnerOnes() {
    Scope outer = Scope.open();
    Scope inner = Scope.open();
    Tensor x = randn(1, 4);
    outer.close();
    assertThat(x.isClosed()).isTrue();
    inner.close();
    assertThat(Scope.current()).isSameAs(scope);
  }

  @Test
  void withoutAScopeThereIsAClearError() throws InterruptedException {
    Throwable[] thrown = new Throwable[1];
    Thread thread =
        new Thread(
            () -> {
              try {
                Tensor.zeros(device, DType.F32, 1);
              } catch (CriaException e) {
                thrown[0] = e;
              }
            });
    thread.start();
    thread.join();
    assertThat(thrown[0]).hasMessageContaining("no scope is open on this thread");
  }

  @Test
  void threadsShareADevice() throws InterruptedException {
    Tensor x = randn(1, 64, 64);
    float[] expected = Ops.matmul(x, x).toFloats();
    float[][] results = new float[4][];
    Thread[] threads = new Thread[results.length];
    for (int i = 0; i < threads.length; i++) {
      int place = i;
      threads[i] =
          new Thread(
              () -> {
                for (int round = 0; round < 20; round++) {
                  try (Scope own = Scope.open()) {
                    results[place] = Ops.matmul(x, x).toFloats();
                  }
                }
              });
      threads[i].start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    for (float[] result : results) {
      assertThat(result).isEqualTo(expected);
    }
  }

  @Test
  void devicesRefuseToCloseWhileMemoryIsAlive() {
    Device other = Device.open("cpu", 1);
    Tensor x = Tensor.zeros(other, DType.F32, 8);
    assertThatThrownBy(other::close).isInstanceOf(NativeException.class).hasMessageContaining("32");
    x.fill(1f);
    x.close();
    other.close();
    other.close();
    assertThatThrownBy(() -> Tensor.zeros(other, DType.F32, 8)).hasMessageContaining("closed");
  }
}
